-- What is to be scored on a data day: every flight planned for the target date, from the
-- plan alone.
SELECT
    data_day,
    data_day + 1 AS target_date,
    time_hour,
    carrier,
    flight,
    origin,
    dest,
    tailnum,
    departure_hour,
    departure_minute,
    arrival_minute,
    distance,
    isodow(data_day + 1) AS day_of_week
FROM schedule
JOIN cutoffs USING (data_day)
WHERE schedule.known_at <= cutoffs.cutoff;
