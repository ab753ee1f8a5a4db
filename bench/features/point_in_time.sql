-- The point-in-time join of six feature views as an engineer would write it by hand.
-- Sees the tables by name, `entities`, and the variable `ttl` (an interval).
SELECT
    e.*,
    CASE WHEN c.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN c.flights_7d END
        AS carrier_delays__flights_7d,
    CASE WHEN c.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN c.flights_28d END
        AS carrier_delays__flights_28d,
    CASE WHEN c.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN c.late_rate_7d END
        AS carrier_delays__late_rate_7d,
    CASE WHEN c.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN c.late_rate_28d END
        AS carrier_delays__late_rate_28d,
    CASE WHEN o.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN o.flights_7d END
        AS origin_delays__flights_7d,
    CASE WHEN o.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN o.flights_28d END
        AS origin_delays__flights_28d,
    CASE WHEN o.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN o.late_rate_7d END
        AS origin_delays__late_rate_7d,
    CASE WHEN o.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN o.late_rate_28d END
        AS origin_delays__late_rate_28d,
    CASE WHEN d.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN d.flights_7d END
        AS destination_delays__flights_7d,
    CASE WHEN d.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN d.flights_28d END
        AS destination_delays__flights_28d,
    CASE WHEN d.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN d.late_rate_7d END
        AS destination_delays__late_rate_7d,
    CASE WHEN d.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN d.late_rate_28d END
        AS destination_delays__late_rate_28d,
    CASE WHEN t.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN t.flights_7d END
        AS tail_number_delays__flights_7d,
    CASE WHEN t.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN t.flights_28d END
        AS tail_number_delays__flights_28d,
    CASE WHEN t.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN t.late_rate_7d END
        AS tail_number_delays__late_rate_7d,
    CASE WHEN t.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN t.late_rate_28d END
        AS tail_number_delays__late_rate_28d,
    CASE WHEN r.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN r.flights_7d END
        AS route_delays__flights_7d,
    CASE WHEN r.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN r.flights_28d END
        AS route_delays__flights_28d,
    CASE WHEN r.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN r.late_rate_7d END
        AS route_delays__late_rate_7d,
    CASE WHEN r.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN r.late_rate_28d END
        AS route_delays__late_rate_28d,
    CASE WHEN h.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN h.flights_7d END
        AS origin_hour_delays__flights_7d,
    CASE WHEN h.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN h.flights_28d END
        AS origin_hour_delays__flights_28d,
    CASE WHEN h.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN h.late_rate_7d END
        AS origin_hour_delays__late_rate_7d,
    CASE WHEN h.event_timestamp >= e.event_timestamp - getvariable('ttl') THEN h.late_rate_28d END
        AS origin_hour_delays__late_rate_28d
FROM entities e
ASOF LEFT JOIN carrier_delays c
    ON e.carrier = c.carrier AND e.event_timestamp >= c.event_timestamp
ASOF LEFT JOIN origin_delays o
    ON e.origin = o.origin AND e.event_timestamp >= o.event_timestamp
ASOF LEFT JOIN destination_delays d
    ON e.dest = d.dest AND e.event_timestamp >= d.event_timestamp
ASOF LEFT JOIN tail_number_delays t
    ON e.tailnum = t.tailnum AND e.event_timestamp >= t.event_timestamp
ASOF LEFT JOIN route_delays r
    ON e.origin = r.origin AND e.dest = r.dest AND e.event_timestamp >= r.event_timestamp
ASOF LEFT JOIN origin_hour_delays h
    ON e.origin = h.origin AND e.departure_hour = h.departure_hour AND e.event_timestamp >= h.event_timestamp;
