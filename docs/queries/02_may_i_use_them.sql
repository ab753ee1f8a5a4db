-- May I use this morning's scores, since when, and if not, why?
SELECT
    target_date,
    data_day,
    state,
    due_by,
    ready_at,
    reason
FROM readiness
WHERE use_case = 'flight_delay'
ORDER BY target_date DESC
LIMIT 7;
