"""A page that shows what goes through the gateway, at `/_mangum`."""

from mangum.local.dashboard.app import ROOT, Dashboard

__all__ = ["ROOT", "Dashboard"]
