-- What is to be scored on a data day: every hour of the target date for which an airport has
-- departures planned, from the plan alone.
SELECT
    data_day,
    data_day + 1 AS target_date,
    origin,
    departure_hour,
    count(*) AS planned_flights,
    count(DISTINCT carrier) AS planned_carriers,
    sum(count(*)) OVER (PARTITION BY data_day, origin)::BIGINT AS planned_flights_at_origin,
    isodow(data_day + 1) AS day_of_week
FROM schedule
JOIN cutoffs USING (data_day)
WHERE schedule.known_at <= cutoffs.cutoff
GROUP BY data_day, origin, departure_hour;
