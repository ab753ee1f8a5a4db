-- What anybody can say without a model: the mean departure delay of the flights at the same
-- airport, weekday and hour of the last 28 days, as it was known at the cut-off.
SELECT
    days.data_day,
    days.data_day + 1 AS target_date,
    flights.origin,
    flights.departure_hour,
    avg(flights.departure_delay) AS baseline
FROM days
JOIN cutoffs USING (data_day)
JOIN flights
    ON flights.data_day BETWEEN days.data_day - 27 AND days.data_day
    AND isodow(flights.data_day) = isodow(days.data_day + 1)
    AND flights.known_at <= cutoffs.cutoff
WHERE flights.departure_delay IS NOT NULL
GROUP BY ALL;
