-- Volume and share of late arrivals by airline.
SELECT
    data_day,
    carrier,
    count(*) FILTER (age_days < 7) AS flights_7d,
    count(*) AS flights_28d,
    late_rate(late, arrived, age_days < 7) AS late_rate_7d,
    late_rate(late, arrived, TRUE) AS late_rate_28d
FROM recent_flights
GROUP BY ALL;
