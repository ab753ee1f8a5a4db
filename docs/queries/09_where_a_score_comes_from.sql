-- Where do the scores of a flight come from: model file, features, lake versions, code?
-- target_date: the day the flight leaves, for example 2013-10-08
-- carrier: for example UA
-- flight: the flight number, for example 1545
SELECT
    s.data_day,
    s.prediction,
    s.scored_at,
    r.model_version,
    r.model_sha256,
    r.model_policy,
    r.feature_service,
    r.lake_versions,
    r.code_revision,
    r.run_id
FROM flight_delay_scores AS s
JOIN score_runs AS r ON r.run_id = s.run_id AND r.model_version = s.model_version
WHERE s.target_date = :target_date AND s.carrier = :carrier AND s.flight = :flight
ORDER BY s.data_day;
