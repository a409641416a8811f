"""Where a lead comes from: the rules of this program, or somebody who entered it. See alerts.entered."""

from enum import StrEnum


class Source(StrEnum):
    """What stands at an entered lead where others have their detector."""

    TIP_OFF = "tip_off"  # 投诉举报
    INSPECTION = "inspection"  # 监督检查: 日常检查、飞行检查、抽查复查
    TRANSFERRED = "transferred"  # 部门移送
    ASSIGNED = "assigned_from_above"  # 上级交办
    MEDIA = "media"  # 媒体曝光
    SELF_REPORT = "self_report"  # 自查自纠报告


SOURCES = frozenset(source.value for source in Source)
RULES = "rules"  # the source of all other leads: 智能监控


def source_of(detector: str) -> str:
    """The source of a lead, by what its alert names as detector."""
    return detector if detector in SOURCES else RULES
