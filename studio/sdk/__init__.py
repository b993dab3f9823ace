"""The studio's Python SDK.

from studio.sdk import Workspace, Experiment
run = Experiment(Workspace.from_config(), "explore-runs").start_logging()
run.log("message", "Hello from run!")
run.complete()
"""

from studio.sdk.environment import CondaDependencies, Environment
from studio.sdk.errors import (
    ActivityFailedException,
    AuthenticationException,
    AzureMLException,
    ConflictException,
    ConnectionFailedException,
    ExperimentExecutionException,
    ForbiddenException,
    InvalidRequestException,
    InvalidTransitionException,
    LogGapException,
    ModelPathNotFoundException,
    NotFoundException,
    PropertyConflictException,
    RunCanceled,
    RunConfigurationException,
    RunEnvironmentException,
    ServiceException,
    SnapshotException,
    StorageFullException,
    StudioError,
    UnavailableException,
    UserErrorException,
    WorkspaceException,
)
from studio.sdk.experiment import Experiment
from studio.sdk.notebook import RunDetails
from studio.sdk.offline import OfflineRun
from studio.sdk.run import Run, get_run
from studio.sdk.runconfig import RunConfiguration
from studio.sdk.script import ScriptRunConfig
from studio.sdk.workspace import ComputeTarget, Workspace

__all__ = [
    "ActivityFailedException",
    "AuthenticationException",
    "AzureMLException",
    "ComputeTarget",
    "CondaDependencies",
    "ConflictException",
    "ConnectionFailedException",
    "Environment",
    "Experiment",
    "ExperimentExecutionException",
    "ForbiddenException",
    "InvalidRequestException",
    "InvalidTransitionException",
    "LogGapException",
    "ModelPathNotFoundException",
    "NotFoundException",
    "OfflineRun",
    "PropertyConflictException",
    "Run",
    "RunCanceled",
    "RunConfiguration",
    "RunConfigurationException",
    "RunDetails",
    "RunEnvironmentException",
    "ScriptRunConfig",
    "ServiceException",
    "SnapshotException",
    "StorageFullException",
    "StudioError",
    "UnavailableException",
    "UserErrorException",
    "VERSION",
    "Workspace",
    "WorkspaceException",
    "get_run",
]

VERSION = __version__ = "0.1.0"
