"""Every detector we run, in one list. Not named here, not run."""

from detectors.detector import Detector
from detectors.hospital.ghost_bed_absence import GhostBedAbsence
from detectors.hospital.ghost_bed_round import GhostBedRound
from detectors.person.geo_time_conflict import GeoTimeConflict
from detectors.person.inpatient_concurrent_claim import InpatientConcurrentClaim
from detectors.person.readmission_split import ReadmissionSplit
from detectors.pharmacy.card_batch_swipe import CardBatchSwipe
from detectors.pharmacy.trace_code_repeat import TraceCodeRepeat

DETECTORS: tuple[Detector, ...] = (
    CardBatchSwipe(),
    InpatientConcurrentClaim(),
    GeoTimeConflict(),
    TraceCodeRepeat(),
    GhostBedAbsence(),
    GhostBedRound(),
    ReadmissionSplit(),
)
