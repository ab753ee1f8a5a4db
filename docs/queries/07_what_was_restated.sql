-- Which published scores were changed since an instant, and by how much?
-- since: UTC, for example 2013-10-08 00:00:00
SELECT
    data_day,
    updated,
    inserted,
    removed,
    round(CAST(largest_change AS NUMERIC), 4) AS largest_change,
    round(CAST(mean_change AS NUMERIC), 4) AS mean_change,
    flipped AS decisions_flipped,
    at AS changed_at,
    run_id
FROM restatements
WHERE use_case = 'flight_delay' AND at >= :since
ORDER BY at DESC, data_day;
