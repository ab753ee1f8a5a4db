-- What did we say at an instant about one flight?
-- instant: UTC, for example 2013-10-08 04:30:00
-- target_date: the day the flight leaves, for example 2013-10-08
-- carrier: for example UA
-- flight: the flight number, for example 1545
SELECT
    data_day,
    time_hour,
    carrier,
    flight,
    prediction,
    decision,
    model_version,
    reason_1,
    valid_from,
    valid_to
FROM flight_delay_scores_history
WHERE valid_from <= :instant
    AND (valid_to IS NULL OR valid_to > :instant)
    AND target_date = :target_date
    AND carrier = :carrier
    AND flight = :flight
ORDER BY data_day;
