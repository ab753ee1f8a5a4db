-- The truth about flights that arrived. Cancelled and diverted flights have no arrival delay
-- and therefore no label.
SELECT
    data_day AS target_date,
    time_hour,
    carrier,
    flight,
    (arrival_delay >= 15)::INTEGER AS late,
    known_at
FROM flights
WHERE arrival_delay IS NOT NULL;
