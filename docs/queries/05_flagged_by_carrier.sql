-- Which carriers have the most flights called late?
-- first_date: first target date, for example 2013-10-02
-- last_date: last target date, included, for example 2013-10-08
SELECT
    carrier,
    count(*) AS flights,
    sum(CASE WHEN decision THEN 1 ELSE 0 END) AS called_late,
    round(CAST(avg(CASE WHEN decision THEN 1.0 ELSE 0.0 END) AS NUMERIC), 3) AS share_called,
    round(CAST(avg(prediction) AS NUMERIC), 3) AS mean_chance
FROM flight_delay_scores_latest
WHERE target_date BETWEEN :first_date AND :last_date
GROUP BY carrier
ORDER BY called_late DESC, carrier;
