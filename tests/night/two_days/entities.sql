-- Every flight planned for the day after the data day, and the same flights two days after it,
-- for which no plan is published yet.
SELECT
    data_day,
    data_day + ahead AS target_date,
    time_hour + to_days(ahead - 1) AS time_hour,
    carrier,
    flight,
    origin,
    dest,
    tailnum,
    departure_hour,
    departure_minute,
    arrival_minute,
    distance,
    isodow(data_day + ahead) AS day_of_week
FROM schedule
JOIN cutoffs USING (data_day)
CROSS JOIN (VALUES (1), (2)) AS horizons (ahead)
WHERE schedule.known_at <= cutoffs.cutoff;
