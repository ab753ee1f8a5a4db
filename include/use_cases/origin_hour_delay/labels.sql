-- The truth about an hour: the mean departure delay of its flights that departed. It is known
-- when the outcome of the last of them is; an hour of which none departed has no label.
SELECT
    data_day AS target_date,
    origin,
    departure_hour,
    avg(departure_delay) AS delay_minutes,
    max(known_at) AS known_at
FROM flights
WHERE departure_delay IS NOT NULL
GROUP BY ALL;
