"""Every detector we run, in one list. Not named here, not run."""

from detectors.detector import Detector
from detectors.fund.upload_gap import UploadGap
from detectors.fund.upload_gap_bills import UploadGapBills
from detectors.fund.upload_gap_charges import UploadGapCharges
from detectors.hospital.batch_admission import BatchAdmission
from detectors.hospital.ghost_bed_absence import GhostBedAbsence
from detectors.hospital.ghost_bed_elsewhere import GhostBedElsewhere
from detectors.hospital.ghost_bed_no_service import GhostBedNoService
from detectors.hospital.ghost_bed_round import GhostBedRound
from detectors.person.drug_overstock import DrugOverstock
from detectors.person.geo_time_conflict import GeoTimeConflict
from detectors.person.ineligible_credential_use import IneligibleCredentialUse
from detectors.person.inpatient_concurrent_claim import InpatientConcurrentClaim
from detectors.person.multi_org_burst import MultiOrgBurst
from detectors.person.readmission_split import ReadmissionSplit
from detectors.pharmacy.card_batch_swipe import CardBatchSwipe
from detectors.pharmacy.empty_swipe_reverse import EmptySwipeReverse
from detectors.pharmacy.empty_swipe_store import EmptySwipeStore
from detectors.pharmacy.inventory_imbalance import InventoryImbalance
from detectors.pharmacy.rx_missing_or_forged import RxMissingOrForged
from detectors.pharmacy.rx_misused import RxMisused
from detectors.pharmacy.rx_one_hand import RxOneHand
from detectors.pharmacy.rx_reused import RxReused
from detectors.pharmacy.trace_code_repeat import TraceCodeRepeat
from detectors.terminal.borrowed_shell import BorrowedShell
from detectors.terminal.suspended_org_settlement import SuspendedOrgSettlement

DETECTORS: tuple[Detector, ...] = (
    CardBatchSwipe(),
    InpatientConcurrentClaim(),
    GeoTimeConflict(),
    TraceCodeRepeat(),
    GhostBedAbsence(),
    GhostBedRound(),
    GhostBedElsewhere(),
    ReadmissionSplit(),
    BatchAdmission(),
    RxMissingOrForged(),
    RxMisused(),
    RxReused(),
    RxOneHand(),
    SuspendedOrgSettlement(),
    BorrowedShell(),
    IneligibleCredentialUse(),
    MultiOrgBurst(),
    EmptySwipeReverse(),
    EmptySwipeStore(),
    DrugOverstock(),
    InventoryImbalance(),
    GhostBedNoService(),
    UploadGap(),
    UploadGapBills(),
    UploadGapCharges(),
)
