-- When we say 30 %, is it 30 %? Predicted and actual share of late flights, by tenth.
-- first_date: first target date, for example 2013-10-02
-- last_date: last target date, included, for example 2013-10-08
WITH ranked AS (
    SELECT prediction, label, ntile(10) OVER (ORDER BY prediction) AS tenth
    FROM flight_delay_scores_outcomes
    WHERE label IS NOT NULL AND target_date BETWEEN :first_date AND :last_date
)
SELECT
    tenth,
    count(*) AS flights,
    round(CAST(avg(prediction) AS NUMERIC), 3) AS predicted,
    round(CAST(avg(label) AS NUMERIC), 3) AS came_late
FROM ranked
GROUP BY tenth
ORDER BY tenth;
