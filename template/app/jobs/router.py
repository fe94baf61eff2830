"""Jobs over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response

# {% if jwt_auth %}
from app.auth.dependencies import CurrentUser
# {% endif %}
from app.jobs.broker import JobBroker
from app.jobs.outcomes import JOBS_PATH
from app.jobs.schemas import IdempotencyKey, Job, JobOut
from app.jobs.service import JobService
from app.jobs.tasks import Submission
from app.problems import problem_responses

RETRY_AFTER = {"Retry-After": "1"}

router = APIRouter(
    prefix=JOBS_PATH,
    tags=["jobs"],
    responses=problem_responses(
        # {% if jwt_auth %}
        401,
        # {% endif %}
        503,
    ),
)


def get_broker(request: Request) -> JobBroker:
    """Find the broker of the service that the request came to."""
    broker: JobBroker = request.app.state.jobs
    return broker


Broker = Annotated[JobBroker, Depends(get_broker)]


def get_jobs(
    broker: Broker,
    # {% if jwt_auth %}
    user: CurrentUser,
    # {% endif %}
) -> JobService:
    """Find the jobs that the caller may see."""
    return JobService(
        broker,
        # {% if jwt_auth %}
        owner=str(user.id),
        # {% endif %}
    )


Jobs = Annotated[JobService, Depends(get_jobs)]


@router.post("", status_code=202, response_model=JobOut)
async def submit_job(
    submission: Submission,
    jobs: Jobs,
    response: Response,
    background: BackgroundTasks,
    idempotency_key: IdempotencyKey = "",
) -> Job:
    """Put a job into the queue; with an Idempotency-Key, the same request is the same job."""
    job = await jobs.submit(submission, idempotency_key)
    response.headers.update({"Location": f"{JOBS_PATH}/{job.id}", **RETRY_AFTER})
    background.add_task(jobs.warn_if_crowded)
    return job


@router.get("/{job_id}", response_model=JobOut)
async def read_job(job_id: UUID, jobs: Jobs, response: Response) -> Job:
    """Read how a job is going; while it is not finished, Retry-After says when to ask again."""
    job = await jobs.get(job_id)
    if not job.is_finished:
        response.headers.update(RETRY_AFTER)
    return job
