-- What anybody can say without a model: how many of the airline's flights were late in the last
-- seven days, for every flight planned.
WITH rates AS (
    SELECT days.data_day, carrier, round(avg((arrival_delay >= 15)::INTEGER), 6) AS baseline
    FROM days
    JOIN cutoffs USING (data_day)
    JOIN flights
        ON flights.data_day BETWEEN days.data_day - 6 AND days.data_day
        AND flights.known_at <= cutoffs.cutoff
    WHERE arrival_delay IS NOT NULL
    GROUP BY ALL
)
SELECT
    data_day,
    data_day + ahead AS target_date,
    time_hour + to_days(ahead - 1) AS time_hour,
    carrier,
    flight,
    baseline
FROM schedule
JOIN rates USING (data_day, carrier)
CROSS JOIN (VALUES (1), (2)) AS horizons (ahead);
