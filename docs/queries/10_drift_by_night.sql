-- How far was each night from what its model was trained on, and when were its scores done?
SELECT
    d.data_day,
    s.at AS scored_at,
    count(*) AS features_compared,
    sum(CASE WHEN d.drifted THEN 1 ELSE 0 END) AS features_drifted,
    round(CAST(max(d.value / nullif(d.threshold, 0)) AS NUMERIC), 2) AS farthest_over_threshold
FROM drift_metrics AS d
JOIN stage_days AS s
    ON s.stage = 'score' AND s.subject = d.use_case AND s.data_day = d.data_day
WHERE d.use_case = 'flight_delay' AND d.kind = 'feature'
GROUP BY d.data_day, s.at
ORDER BY d.data_day DESC
LIMIT 14;
