"""### nyc_flights in Airflow: flights, schedules, weather and planes of New York.

**`nyc_flights_nightly`** runs at midnight New York time for the day that ended, its
partition key. It lands and checks the day (waiting for the source without holding a slot),
builds its features, announces them, which starts every use case on the dataset, and brings
the newest features into the online store, where a sample is compared with the offline ones.
It also heals: due days of the last five weeks are landed again before the day itself.

**`nyc_flights_backfill`** does the same work over a window of days, by hand.
**`nyc_flights_quarantine`** decides about rows that are held; the next night carries it out. Its
log shows first what would follow; the field *Decide* records it.

*By hand*: Trigger → Advanced options → Partition key: YYYY-MM-DD. Or by REST:

    POST /api/v2/dags/nyc_flights_nightly/dagRuns
    {"logical_date": null, "partition_key": "2013-10-07", "conf": {}}

    POST /api/v2/dags/nyc_flights_backfill/dagRuns
    {"logical_date": null, "conf": {"first_day": "2013-09-01", "last_day": "2013-09-30"}}

    POST /api/v2/dags/nyc_flights_quarantine/dagRuns
    {"logical_date": null, "conf": {"action": "waive", "rule": "wind_speed_plausible",
     "day": "2013-02-12", "reason": "a storm", "confirm": true}}

*Dangers*: every run may be repeated and changes nothing when its inputs have not changed.
A run without a partition key fails at once. A paused use case never sees the days
announced while it is paused; its next night heals them. Landing old days again changes the
features of the four weeks after them; scores of the last week are then restated (the rows
before are kept as revisions), older ones stay until `flight_delay_backfill` is run.

*When it fails*: the log's last line names day, rule and count. Days that stopped are in
`stage_days`, held rows in `quarantine` (`./nightshift quarantine list nyc_flights`).
"""

from include.datasets.nyc_flights.declaration import DATASET
from include.orchestration.dags import dataset_dags

nightly, backfill, quarantine = dataset_dags(DATASET, __doc__)
