-- How good were the decisions about last week's flights, day by day?
-- first_date: first target date, for example 2013-10-02
-- last_date: last target date, included, for example 2013-10-08
-- Flights without a label were cancelled or diverted: no decision about them was right or wrong.
SELECT
    target_date,
    count(*) AS flights,
    count(*) - count(label) AS without_label,
    sum(CASE WHEN decision THEN 1 ELSE 0 END) AS called_late,
    sum(CASE WHEN label = 1 THEN 1 ELSE 0 END) AS were_late,
    sum(CASE WHEN decision AND label = 1 THEN 1 ELSE 0 END) AS rightly_called,
    round(
        CAST(1.0 * sum(CASE WHEN decision AND label = 1 THEN 1 ELSE 0 END)
            / nullif(sum(CASE WHEN decision AND label IS NOT NULL THEN 1 ELSE 0 END), 0) AS NUMERIC),
        3
    ) AS precision_of_calls,
    round(
        CAST(1.0 * sum(CASE WHEN decision AND label = 1 THEN 1 ELSE 0 END)
            / nullif(sum(CASE WHEN label = 1 THEN 1 ELSE 0 END), 0) AS NUMERIC),
        3
    ) AS share_found
FROM flight_delay_scores_outcomes
WHERE target_date BETWEEN :first_date AND :last_date
GROUP BY target_date
ORDER BY target_date;
