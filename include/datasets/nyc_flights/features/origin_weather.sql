-- The newest weather observed at each airport before the cut-off, at most a day old. The
-- observation at the very cut-off belongs to the next day, which has not landed by then.
SELECT
    days.data_day,
    weather.origin,
    arg_max(weather.temp, weather.observed_at) AS temp,
    arg_max(weather.humid, weather.observed_at) AS humid,
    arg_max(weather.wind_speed, weather.observed_at) AS wind_speed,
    arg_max(weather.precip, weather.observed_at) AS precip,
    arg_max(weather.pressure, weather.observed_at) AS pressure,
    arg_max(weather.visib, weather.observed_at) AS visib
FROM days
JOIN cutoffs USING (data_day)
JOIN weather
    ON weather.data_day <= days.data_day
    AND weather.known_at <= cutoffs.cutoff
    AND weather.known_at > cutoffs.cutoff - INTERVAL 24 HOURS
GROUP BY ALL;
