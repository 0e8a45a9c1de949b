"""The satellite's trajectory: its motion around a flattened, rotating earth, by quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

GRAVITY = 3.986004418e14
"""Gravitational constant times mass of the earth, m³/s²."""
TURN = 7.292115e-5
"""Rotation of the earth, rad/s."""
RADIUS, FLATTENING_TERM = 6_378_137.0, 1.08262668e-3
ALTITUDE = 514_000.0
INCLINATION = 97.44
"""Degrees: the sun-synchronous orbit that PAZ, TerraSAR-X and TanDEM-X share."""
_STEP, _REACH = 1.0, 75
_DEGREE, _ARC = 7, 6.0
_HALVINGS = 60


@dataclass(frozen=True)
class Orbit:
    """Earth-fixed motion by time `u` (s) after the moment it was set up for.

    `states` (n, 6) are inertial positions and velocities every second from `first` on.
    """

    first: float
    states: Array

    def at(self, u: float) -> tuple[Array, Array]:
        """Earth-fixed position (m) and velocity (m/s)."""
        number = round((u - self.first) / _STEP)
        if not 0 <= number < len(self.states):
            raise ValueError(f"{u} s is not on the orbit that was computed")
        state = _advance(self.states[number], u - self.first - number * _STEP)
        cosine, sine = math.cos(TURN * u), math.sin(TURN * u)
        back = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        place = back @ state[:3]
        return place, back @ state[3:] - np.cross([0.0, 0.0, TURN], place)

    def arc(self, reach: float = _ARC) -> Array:
        """Polynomials (3, 8) of the earth-fixed position in powers of `u`, within ± `reach` s."""
        times = np.linspace(-reach, reach, 8 * _DEGREE)
        places = np.stack([self.at(float(u))[0] for u in times])
        fitted = np.polynomial.polynomial.polyfit(times / reach, places, _DEGREE)
        return np.ascontiguousarray((fitted / reach ** np.arange(_DEGREE + 1)[:, None]).T)


def _pull(state: Array) -> Array:
    x, y, z = state[:3]
    r2 = float(x * x + y * y + z * z)
    r = math.sqrt(r2)
    flat = 1.5 * FLATTENING_TERM * RADIUS**2 / r2
    share = 5 * z * z / r2
    scale = -GRAVITY / (r2 * r)
    return np.array(
        [
            *state[3:],
            scale * x * (1 + flat * (1 - share)),
            scale * y * (1 + flat * (1 - share)),
            scale * z * (1 + flat * (3 - share)),
        ]
    )


def _advance(state: Array, step: float) -> Array:
    """One step of Runge and Kutta's fourth order."""
    one = _pull(state)
    two = _pull(state + step / 2 * one)
    three = _pull(state + step / 2 * two)
    four = _pull(state + step * three)
    return state + step / 6 * (one + 2 * two + 2 * three + four)


def _quadrature(place: Array, velocity: Array) -> Orbit:
    now = np.concatenate([place, velocity])
    states = [now]
    for step in (_STEP, -_STEP):
        state = now
        for _ in range(_REACH):
            state = _advance(state, step)
            states.append(state)
    forth, back = states[: _REACH + 1], states[_REACH + 1 :]
    return Orbit(-_REACH * _STEP, np.stack([*back[::-1], *forth]))


def orbit_over(
    target: Array,
    up: Array,
    *,
    ascending: bool,
    side: int,
    incidence: float,
    tube: tuple[float, float] = (0.0, 0.0),
) -> Orbit:
    """The orbit that has a target abeam at `u` = 0.

    Args:
        target: Earth-fixed place (3,) in metres.
        up: The ellipsoid's normal there.
        ascending: Whether it flies north.
        side: +1 where the target lies right of the flight, −1 left.
        incidence: Degrees between sight and normal at the target.
        tube: Metres by which this pass flies higher, and further to the right.
    """
    east = np.cross([0.0, 0.0, 1.0], up)
    east /= np.linalg.norm(east)
    north = np.cross(up, east)

    def state(heading: float) -> tuple[Array, Array]:
        flight = math.sin(heading) * east + math.cos(heading) * north
        right = math.cos(heading) * east - math.sin(heading) * north
        angle = math.radians(incidence)
        sight = math.cos(angle) * up - side * math.sin(angle) * right
        along = float(target @ sight)
        radius = RADIUS + ALTITUDE
        reach = math.sqrt(along**2 + radius**2 - float(target @ target)) - along
        place = target + reach * sight
        return place, _abeam(place, sight, flight)

    middle = 0.0 if ascending else math.pi
    headings = middle - 1.2, middle + 1.2

    def excess(heading: float) -> float:
        place, velocity = state(heading)
        pole = np.cross(place, velocity)
        cosine = float(pole[2] / np.linalg.norm(pole))
        return math.degrees(math.acos(cosine)) - INCLINATION

    place, velocity = state(_bisect(excess, *headings))
    outward = place / np.linalg.norm(place)
    rightward = np.cross(velocity, outward)
    rightward /= np.linalg.norm(rightward)
    return _quadrature(place + tube[0] * outward + tube[1] * rightward, velocity)


def _abeam(place: Array, sight: Array, flight: Array) -> Array:
    """Inertial velocity of a circular orbit whose earth-fixed part is at right angles to a sight.

    Of the two directions the one near `flight` is taken.
    """
    outward = place / np.linalg.norm(place)
    ahead = flight - (flight @ outward) * outward
    ahead /= np.linalg.norm(ahead)
    across = np.cross(outward, ahead)
    speed = math.sqrt(GRAVITY / float(np.linalg.norm(place)))
    carried = np.cross([0.0, 0.0, TURN], place)

    def along_sight(angle: float) -> float:
        velocity = speed * (math.cos(angle) * ahead + math.sin(angle) * across)
        return float((velocity - carried) @ sight)

    angle = _bisect(along_sight, -0.5, 0.5)
    return np.asarray(speed * (math.cos(angle) * ahead + math.sin(angle) * across))


def _bisect(miss: Callable[[float], float], low: float, high: float) -> float:
    """A zero between two values of opposite sign."""
    rising = miss(low) < 0
    if (miss(high) < 0) == rising:
        raise ValueError("no orbit of this inclination sees the target so")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (miss(middle) < 0) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2
