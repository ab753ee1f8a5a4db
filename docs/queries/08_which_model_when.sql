-- Which model scored which days, and why was it in service?
SELECT
    model_version,
    min(data_day) AS first_data_day,
    max(data_day) AS last_data_day,
    sum(scores) AS scores,
    trained_as_of,
    into_service,
    into_service_at,
    into_service_reason
FROM flight_delay_models_in_service
GROUP BY model_version, trained_as_of, into_service, into_service_at, into_service_reason
ORDER BY first_data_day, model_version;
