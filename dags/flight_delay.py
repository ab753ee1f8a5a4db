"""### flight_delay in Airflow: which of tomorrow's flights will arrive 15 or more minutes late?

**`flight_delay_nightly`** starts when the features of a day are announced by
`nyc_flights_nightly`, with the same partition key. It scores every flight planned for the day
after with the champion, after days missed in the last five weeks, and judges drift. Drift
on two of three nights starts a training, run `retrain__<day>`, unless one started in the last
seven days or somebody has acknowledged the drift.

**`flight_delay_train`** runs on Monday morning, and by hand: it trains on mature labels only and
promotes on evidence against the champion on the same flights. Where an approval is declared, a
person answers in the task `approve` (Required Actions); no answer in time leaves the champion.

**`flight_delay_backfill`** lands what is missing of a window, then scores and judges it.
**`flight_delay_rollback`** puts a former champion into service again.

*By hand*: Trigger → Advanced options → Partition key: YYYY-MM-DD. Or by REST:

    POST /api/v2/dags/flight_delay_nightly/dagRuns
    {"logical_date": null, "partition_key": "2013-10-07", "conf": {}}

    POST /api/v2/dags/flight_delay_train/dagRuns
    {"logical_date": null, "conf": {"as_of": "2013-09-30", "promote": true}}

    POST /api/v2/dags/flight_delay_backfill/dagRuns
    {"logical_date": null, "conf": {"first_day": "2013-09-01", "last_day": "2013-09-30"}}

    POST /api/v2/dags/flight_delay_rollback/dagRuns
    {"logical_date": null, "conf": {"version": "1", "reason": "version 3 cries wolf"}}

*Dangers*: a backfill scores published days again, with the model its policy names; what was said
before stays in `flight_delay_scores_revisions`. Without a champion nothing can be scored: train
first. Pausing the nightly DAG loses its announcements; its next night heals those days.

*When it fails*: the log's last line says why. `./nightshift status flight_delay` shows champion
and days, `./nightshift models flight_delay` every decision; an approval that failed is carried
out by `./nightshift approve` or `reject`.
"""

from include.orchestration.dags import use_case_dags
from include.use_cases.flight_delay.declaration import USE_CASE

nightly, train, backfill, rollback = use_case_dags(USE_CASE, __doc__)
