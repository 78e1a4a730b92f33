"""Generates purchase orders of a garment buyer; the same seed and date give the same orders."""

import datetime
import random
from dataclasses import dataclass, field

STATUSES = ("Ordered", "Accepted", "Production", "Inspection", "Shipped", "Delivered")

BUYER = "buyer@garments.example"
MERCHANDISER = "merchandiser@garments.example"
MANAGER = "manager@garments.example"

# Name, e-mail address, pace (1 is on time, more is slower), share of failed inspections.
SUPPLIERS = (
	("Anatolia Knitwear", "orders@anatolia.example", 1.0, 0.10),
	("Bengal Apparel", "orders@bengal.example", 1.2, 0.25),
	("Cordillera Cotton", "orders@cordillera.example", 0.9, 0.05),
	("Delta Garments", "orders@delta.example", 1.45, 0.35),
)
STYLES = (
	"Crew Neck Tee",
	"Polo Shirt",
	"Denim Jacket",
	"Chino",
	"Hooded Sweatshirt",
	"Linen Dress",
	"Rain Parka",
)

# Usual days from a status to the next one, and the user who sets it.
USUAL_DAYS = {"Ordered": 2, "Accepted": 7, "Production": 21, "Inspection": 3, "Shipped": 16}
REPORTED_BY = {
	"Ordered": BUYER,
	"Accepted": MERCHANDISER,
	"Production": MERCHANDISER,
	"Inspection": MERCHANDISER,
	"Shipped": MERCHANDISER,
	"Delivered": BUYER,
}
REWORK_DAYS = 6
DAYS_TO_SHIP = 36
DAYS_AT_SEA = 16
OLDEST_ORDER_DAYS = 190
# Orders that wait at their inspection, whatever the day: their shipment can be blocked.
INSPECTED = 5
OPENING_HOUR, CLOSING_HOUR = 8, 18


@dataclass(frozen=True)
class Step:
	"""One save of an order: its time (naive, in the site's time zone), the user, and the fields that it sets."""

	moment: datetime.datetime
	user: str
	values: dict


@dataclass
class Order:
	"""One order and its saves until today, in order of time."""

	number: int
	supplier: str
	style: str
	quantity: int
	steps: list[Step] = field(default_factory=list)


def generate(today: datetime.date, count: int = 60, seed: int = 20) -> list[Order]:
	"""Generate orders whose saves end the evening before `today`.

	Args:
		today: date of the demo; the last orders are a few days old then.
		count: number of orders.
		seed: seed of the random numbers.

	Returns:
		list[Order]: in order of their order dates.
	"""
	# The same seed makes the same orders.
	chance = random.Random(seed)  # nosec B311
	orders = [_make_order(number, count, today, chance) for number in range(1, count + 1)]
	_keep_some_inspected(orders)
	return orders


def all_steps(orders: list[Order]) -> list[tuple[Order, Step]]:
	"""Return the saves of all orders in order of time.

	Args:
		orders: as `generate` returns them.
	"""
	steps = [(order, step) for order in orders for step in order.steps]
	return sorted(steps, key=lambda pair: (pair[1].moment, pair[0].number))


def _make_order(number: int, count: int, today: datetime.date, chance: random.Random) -> Order:
	name, _contact, pace, rework_share = chance.choice(SUPPLIERS)
	order = Order(number, name, chance.choice(STYLES), chance.randrange(200, 5000, 50))
	age = OLDEST_ORDER_DAYS * (count - number) // count + 2
	ordered = _at_work(
		datetime.datetime.combine(today - datetime.timedelta(days=age), datetime.time()), chance
	)
	ship_date = ordered.date() + datetime.timedelta(days=DAYS_TO_SHIP)
	first = {
		"order_date": ordered.date(),
		"ship_date": ship_date,
		"delivery_date": ship_date + datetime.timedelta(days=DAYS_AT_SEA),
	}
	moment = ordered
	steps = []
	for status in _path(rework_share, chance):
		if steps:
			days = (
				REWORK_DAYS
				if status == "Production" and _last(steps) == "Inspection"
				else USUAL_DAYS[_last(steps)]
			)
			moment = _later(moment, days * pace, chance)
		steps.append(Step(moment, REPORTED_BY[status], {**first, "status": status}))
		first = {}
	_put_off_shipping(steps, ship_date, chance)
	order.steps = [step for step in steps if step.moment.date() < today]
	return order


def _keep_some_inspected(orders: list[Order]) -> None:
	"""On a day on which few orders stand at their inspection, others are not shipped yet; two stay on the way."""
	inspected = _standing_at(orders, "Inspection")
	others = _standing_at(orders, "Shipped")[2:] + _standing_at(orders, "Delivered")
	for order in others[: max(INSPECTED - len(inspected), 0)]:
		while _stands_at(order) != "Inspection":
			order.steps.pop()


def _standing_at(orders: list[Order], status: str) -> list[Order]:
	"""Return the orders that stand at a status, the latest first."""
	standing = [order for order in orders if _stands_at(order) == status]
	return sorted(standing, key=lambda order: order.steps[-1].moment, reverse=True)


def _stands_at(order: Order) -> str:
	return [step.values["status"] for step in order.steps if "status" in step.values][-1]


def _path(rework_share: float, chance: random.Random) -> list[str]:
	"""Return the statuses of an order; after a failed inspection it returns to production."""
	path = list(STATUSES[:4])
	while chance.random() < rework_share and len(path) < 8:
		path += ["Production", "Inspection"]
	return path + list(STATUSES[4:])


def _last(steps: list[Step]) -> str:
	return steps[-1].values["status"]


def _put_off_shipping(steps: list[Step], ship_date: datetime.date, chance: random.Random) -> None:
	"""Add a save that moves the dates during production, for most orders that ship late."""
	shipped = next(index for index, step in enumerate(steps) if step.values["status"] == "Shipped")
	late = (steps[shipped].moment.date() - ship_date).days
	if late <= 3 or chance.random() < 0.25:
		return
	moment = _later(steps[2].moment, 4, chance)
	if moment >= steps[3].moment:
		return
	new_date = ship_date + datetime.timedelta(days=max(2, round(late * chance.uniform(0.4, 1.0))))
	values = {"ship_date": new_date, "delivery_date": new_date + datetime.timedelta(days=DAYS_AT_SEA)}
	steps.insert(3, Step(moment, MERCHANDISER, values))


def _later(moment: datetime.datetime, days: float, chance: random.Random) -> datetime.datetime:
	"""Return a time in office hours about `days` later, at least an hour."""
	wait = datetime.timedelta(days=days * chance.lognormvariate(0, 0.35))
	return _at_work(moment + max(wait, datetime.timedelta(hours=1)), chance)


def _at_work(moment: datetime.datetime, chance: random.Random) -> datetime.datetime:
	"""Move a time at night or on a Sunday to the next morning."""
	if moment.hour >= CLOSING_HOUR:
		moment = datetime.datetime.combine(moment.date() + datetime.timedelta(days=1), datetime.time())
	if moment.weekday() == 6:
		moment = datetime.datetime.combine(moment.date() + datetime.timedelta(days=1), datetime.time())
	if moment.hour < OPENING_HOUR:
		moment = moment.replace(hour=OPENING_HOUR, minute=chance.randrange(60), second=chance.randrange(60))
	return moment.replace(microsecond=0)
