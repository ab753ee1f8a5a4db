-- How good was each model on its newest mature dates, beside knowing nothing?
-- dates: how many of the newest target dates of each model, for example 28
-- Only dates after every label the model was made with count. A mean of dates weighs them by
-- their flights; auc is that within each date, how well the flights of one day are ranked.
WITH dated AS (
    SELECT
        model_version,
        target_date,
        max(n) AS flights,
        max(CASE WHEN metric = 'auc' THEN value END) AS auc,
        max(CASE WHEN metric = 'brier' THEN value END) AS brier,
        max(CASE WHEN metric = 'brier_constant_rate' THEN value END) AS brier_constant_rate,
        max(CASE WHEN metric = 'cost' THEN value END) AS cost,
        max(CASE WHEN metric = 'cost_never' THEN value END) AS cost_never,
        max(CASE WHEN metric = 'cost_always' THEN value END) AS cost_always,
        row_number() OVER (PARTITION BY model_version ORDER BY target_date DESC) AS age
    FROM model_performance
    WHERE use_case = 'flight_delay' AND slice = 'all' AND out_of_time AND value IS NOT NULL
    GROUP BY model_version, target_date
)
SELECT
    model_version,
    min(target_date) AS first_date,
    max(target_date) AS last_date,
    sum(flights) AS flights,
    round(CAST(sum(flights * auc) / sum(CASE WHEN auc IS NOT NULL THEN flights END) AS NUMERIC), 3)
        AS mean_auc,
    round(CAST(sum(flights * brier) / sum(flights) AS NUMERIC), 4) AS brier,
    round(CAST(sum(flights * brier_constant_rate) / sum(flights) AS NUMERIC), 4)
        AS brier_of_the_rate,
    round(CAST(sum(flights * cost) / sum(flights) AS NUMERIC), 3) AS cost,
    round(CAST(sum(flights * cost_never) / sum(flights) AS NUMERIC), 3) AS cost_of_never_calling,
    round(CAST(sum(flights * cost_always) / sum(flights) AS NUMERIC), 3) AS cost_of_always_calling
FROM dated
WHERE age <= :dates
GROUP BY model_version
ORDER BY max(target_date), model_version;
