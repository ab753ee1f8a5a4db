-- Every flight whose outcome became known in the 28 days up to a cut-off, once per such
-- cut-off, with the age of that knowledge in days. What counts is known_at, not the day the
-- flight was scheduled for: one that lands after midnight belongs to the next cut-off. A row
-- known at the very cut-off of the day before its own has not landed by then, hence greatest().
CREATE OR REPLACE TEMP VIEW recent_flights AS
WITH known AS (
    SELECT
        greatest(cutoffs.data_day, flights.data_day) AS known_day,
        carrier, origin, dest, tailnum, departure_hour,
        arrival_delay IS NOT NULL AS arrived,
        coalesce(arrival_delay >= 15, FALSE) AS late
    FROM flights
    ASOF JOIN cutoffs ON flights.known_at <= cutoffs.cutoff
)
SELECT
    days.data_day,
    days.data_day - known.known_day AS age_days,
    known.* EXCLUDE (known_day)
FROM known
JOIN days ON known.known_day BETWEEN days.data_day - 27 AND days.data_day;

-- Share of late arrivals among the flights that arrived, of those that are recent enough.
CREATE OR REPLACE TEMP MACRO late_rate(late, arrived, recent) AS
    round(count(*) FILTER (late AND recent) / nullif(count(*) FILTER (arrived AND recent), 0), 6);
