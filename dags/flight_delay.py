"""### flight_delay in Airflow: which of tomorrow's flights will arrive 15 or more minutes late?

**`flight_delay_nightly`** starts when the features of a day are announced by
`nyc_flights_nightly`, with the same partition key. It scores every flight planned for the
day after with the champion, writes the scores to `flight_delay_scores`, and judges drift.
Days that were missed in the last five weeks are scored first.

**`flight_delay_train`** runs on Monday morning, and by hand with a form: it trains on mature
labels only, compares with the champion on the same flights, and promotes on evidence.

**`flight_delay_backfill`** lands what is missing of a window of days, then scores and judges it.

*By hand*: Trigger → Advanced options → Partition key: YYYY-MM-DD. Or by REST:

    POST /api/v2/dags/flight_delay_nightly/dagRuns
    {"logical_date": null, "partition_key": "2013-10-07", "conf": {}}

    POST /api/v2/dags/flight_delay_train/dagRuns
    {"logical_date": null, "conf": {"as_of": "2013-09-30", "promote": true}}

    POST /api/v2/dags/flight_delay_backfill/dagRuns
    {"logical_date": null, "conf": {"first_day": "2013-09-01", "last_day": "2013-09-30"}}

*Dangers*: a backfill scores its days again with today's champion, also those already
published; what was said before stays in `flight_delay_scores_revisions`. Without a champion
nothing can be scored: train first. Pausing the nightly DAG loses the announcements made
meanwhile; its next night heals those days.

*When it fails*: the log's last line says why. `./nightshift status flight_delay` shows the
champion and the days done.
"""

from include.orchestration.dags import use_case_dags
from include.use_cases.flight_delay.declaration import USE_CASE

nightly, train, backfill = use_case_dags(USE_CASE, __doc__)
