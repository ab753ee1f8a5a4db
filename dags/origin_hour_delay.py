"""### origin_hour_delay in Airflow: how late will departures be tomorrow, by airport and hour?

**`origin_hour_delay_nightly`** starts when the features of a day are announced by
`nyc_flights_nightly`, with the same partition key, beside the other use cases of the dataset. It
scores every hour of the day after for which an airport has departures planned: the mean delay in
minutes, and the 0.1 and 0.9 quantile around it. Then it scores days missed in the last five weeks,
and judges drift.

**`origin_hour_delay_train`** runs on Monday morning, and by hand. A model that does not beat the
mean of the airport's same weekday and hour in the last 28 days is refused.

**`origin_hour_delay_backfill`** lands what is missing of a window, then scores and judges it.
**`origin_hour_delay_rollback`** puts a former champion into service again.

*By hand*: Trigger → Advanced options → Partition key: YYYY-MM-DD. Or by REST:

    POST /api/v2/dags/origin_hour_delay_nightly/dagRuns
    {"logical_date": null, "partition_key": "2013-10-07", "conf": {}}

    POST /api/v2/dags/origin_hour_delay_train/dagRuns
    {"logical_date": null, "conf": {"as_of": "2013-09-30", "promote": true}}

    POST /api/v2/dags/origin_hour_delay_backfill/dagRuns
    {"logical_date": null, "conf": {"first_day": "2013-09-01", "last_day": "2013-09-30"}}

    POST /api/v2/dags/origin_hour_delay_rollback/dagRuns
    {"logical_date": null, "conf": {"version": "1", "reason": "intervals far too narrow"}}

*Dangers*: a backfill scores published days again, with the model its policy names; what was said
before stays in `origin_hour_delay_scores_revisions`. Without a champion nothing can be scored:
train first. Pausing the nightly DAG loses its announcements; its next night heals those days.

*When it fails*: the log's last line says why. `./nightshift status origin_hour_delay` shows
champion and days, `./nightshift performance origin_hour_delay` what the scores were worth.
"""

from include.orchestration.dags import use_case_dags
from include.use_cases.origin_hour_delay.declaration import USE_CASE

nightly, train, backfill, rollback = use_case_dags(USE_CASE, __doc__)
