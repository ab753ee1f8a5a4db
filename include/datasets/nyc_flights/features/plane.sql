-- Age and size of the aircraft that the next day's plan names.
SELECT DISTINCT
    days.data_day,
    planes.tailnum,
    extract('year' FROM days.data_day) - planes.year_built AS age_years,
    planes.seats
FROM days
JOIN cutoffs USING (data_day)
JOIN schedule USING (data_day)
JOIN planes ON planes.tailnum = schedule.tailnum
WHERE schedule.known_at <= cutoffs.cutoff
    AND planes.known_at <= cutoffs.cutoff;
