-- What was measured of the days judged, beside what the days before them make usual.
--
-- `measured` holds one value per table, day, column and metric, of the days before too; days
-- that have not landed are not there. The estimates are explained at `Quality`.
WITH compared AS (
    SELECT
        it.table_name,
        it.data_day,
        it.column_name,
        it.metric,
        any_value(it.value) AS value,
        count(earlier.value) AS known,
        median(earlier.value) AS usual,
        1.4826 * mad(earlier.value) AS deviation,
        quantile_cont(earlier.value, 0.1) AS low,
        quantile_cont(earlier.value, 0.9) AS high
    FROM measured AS it
    LEFT JOIN measured AS earlier
        ON earlier.table_name = it.table_name
        AND earlier.column_name = it.column_name
        AND earlier.metric = it.metric
        AND earlier.data_day < it.data_day
        AND it.data_day - earlier.data_day <= 7 * $weeks
        AND (it.metric <> 'rows' OR (it.data_day - earlier.data_day) % 7 = 0)
    WHERE it.judged
    GROUP BY it.table_name, it.data_day, it.column_name, it.metric
),

spread AS (
    SELECT
        *,
        CASE metric
            WHEN 'rows' THEN greatest(deviation, $rows_spread * usual)
            WHEN 'null_share' THEN greatest(deviation, (usual - low) / 1.2816, $null_spread)
            ELSE greatest(deviation, (usual - low) / 1.2816, $hours_spread)
        END AS below,
        CASE metric
            WHEN 'rows' THEN greatest(deviation, $rows_spread * usual)
            WHEN 'null_share' THEN greatest(deviation, (high - usual) / 1.2816, $null_spread)
            ELSE greatest(deviation, (high - usual) / 1.2816, $hours_spread)
        END AS above,
        CASE metric
            -- However it comes and goes: a column that is empty is strange, unless it often is.
            WHEN 'null_share' THEN greatest(high, 1 - $null_spread)
            ELSE 'infinity'::DOUBLE
        END AS most
    FROM compared
    WHERE known >= CASE metric WHEN 'rows' THEN $least_weeks ELSE $least_days END
),

bounded AS (
    SELECT
        table_name,
        data_day,
        column_name,
        metric,
        usual,
        greatest(usual - $width * below, 0) AS lower,
        least(usual + $width * above, most) AS upper
    FROM spread
)

SELECT
    table_name,
    data_day,
    column_name,
    metric,
    compared.value,
    bounded.usual,
    bounded.lower,
    bounded.upper,
    compared.value NOT BETWEEN bounded.lower AND bounded.upper AS unusual
FROM compared
LEFT JOIN bounded USING (table_name, data_day, column_name, metric)
ORDER BY data_day, table_name, column_name, metric
