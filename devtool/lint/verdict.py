"""What a gate has to say."""

from dataclasses import dataclass, field


@dataclass
class Verdict:
	"""Complaints refuse the change; advice is only shown; a gate left out says why."""

	complaints: list[str] = field(default_factory=list)
	advice: list[str] = field(default_factory=list)
	left_out: str = ""
