-- Which flights of a day are most likely to be late, and why?
-- target_date: the day the flights leave, for example 2013-10-08
SELECT
    time_hour,
    carrier,
    flight,
    origin,
    dest,
    round(CAST(prediction AS NUMERIC), 3) AS chance_of_delay,
    decision AS called_late,
    reason_1,
    reason_2
FROM flight_delay_scores_latest
WHERE target_date = :target_date
ORDER BY prediction DESC, time_hour, carrier, flight
LIMIT 10;
