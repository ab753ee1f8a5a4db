-- Volume and share of late arrivals by route.
SELECT
    data_day,
    origin, dest,
    count(*) FILTER (age_days < 7) AS flights_7d,
    count(*) AS flights_28d,
    round(sum(late::INTEGER) FILTER (age_days < 7)
        / nullif(count(*) FILTER (age_days < 7 AND arrived), 0), 6) AS late_rate_7d,
    round(sum(late::INTEGER) / nullif(count(*) FILTER (arrived), 0), 6) AS late_rate_28d
FROM recent_flights
GROUP BY ALL;
