from mangum.protocols.http import HTTPCycle
from mangum.protocols.lifespan import LifespanCycle, LifespanCycleState

__all__ = ["HTTPCycle", "LifespanCycle", "LifespanCycleState"]
