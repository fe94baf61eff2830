"""The templates for AWS are sound, least in rights, fit the service, and become stacks in a mock."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx2
import pytest
import yaml
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from tests.platforms import (
    EVERYTHING,
    LONGEST_SLUG,
    NO_DATABASE,
    Projects,
    expect_refusal,
    has_module,
    install_everything,
    projects_on_demand,
)
from tests.policies import findings, scan
from tests.projects import BIN, check, run
from tests.questions import REPOSITORY, Answers

Environment = dict[str, str]
Stack = dict[str, Any]

COMBINATIONS: dict[str, Answers] = {
    "everything": EVERYTHING,
    "longest-name": {"project_slug": LONGEST_SLUG},
    "no-redis": {"rate_limiting": False, "jwt_auth": False},
    "no-database": {**NO_DATABASE, "background_tasks": True},
    "nothing": {**NO_DATABASE, "rate_limiting": False, "cors": False, "telemetry": False},
}
ALWAYS = {
    *("LoadBalancerSecurityGroup", "ServiceSecurityGroup", "ServiceIngress"),
    *("LoadBalancer", "HttpsListener", "HttpListener", "TargetGroup"),
    *("Cluster", "LogGroup", "ExecutionRole"),
    *("WebTask", "WebService", "WebScaling", "WebScalingPolicy"),
}
DATABASE = {
    *("Database", "DatabaseSecurityGroup", "DatabaseIngress", "DatabaseSubnetGroup"),
    *("DatabasePassword", "DatabaseUrl", "MigrationTask"),
}
REDIS = {
    *("Redis", "RedisSecurityGroup", "RedisIngress", "RedisSubnetGroup"),
    *("RedisPassword", "RedisUrl"),
}
TELEMETRY = {"MetricsToken", "MetricsIngress", "TracesEgress"}
WORKERS = {"WorkerTask", "WorkerService", "SchedulerTask", "SchedulerService"}
RESOURCES = {
    "everything": ALWAYS | DATABASE | REDIS | WORKERS | TELEMETRY | {"AuthSecrets"},
    "longest-name": ALWAYS | DATABASE | REDIS | TELEMETRY | {"AuthSecrets"},
    "no-redis": ALWAYS | DATABASE | TELEMETRY,
    "no-database": ALWAYS | REDIS | WORKERS | TELEMETRY,
    "nothing": ALWAYS,
}
UNKNOWN_TO_THE_MOCK = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::SubnetGroup",
    "AWS::SecretsManager::Secret",
}
"""moto makes nothing of these, and leaves `{{resolve:...}}` as it is; cfn-lint checks them alone."""

FAKE_AWS = """#!/bin/sh
echo "$*" >> "$AWS_LOG"
case "$*" in
*describe-stacks*) echo "$*" | sed "s/.*OutputKey=='\\\\([A-Za-z]*\\\\)'.*/the-\\\\1/" ;;
*run-task*) echo the-task ;;
*exitCode*) echo "${MIGRATION_STATUS:-0}" ;;
*get-login-password*) echo password ;;
*) echo the-answer ;;
esac
"""


class Loader(yaml.SafeLoader):
    """Reads `!Ref x` as {"Ref": x}, and `!Sub x` as {"Fn::Sub": x}."""


def function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """Read a function of CloudFormation in its short form."""
    value: Any
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", function)


@pytest.fixture(scope="session")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """Give the project of a combination, which is written when a test first asks for it."""
    return projects_on_demand("aws", COMBINATIONS, template, tmp_path_factory)


@pytest.fixture(params=COMBINATIONS)
def combination(request: pytest.FixtureRequest) -> str:
    """Name each of the combinations in turn."""
    name: str = request.param
    return name


@pytest.fixture
def stack(projects: Projects, combination: str) -> Stack:
    """Read the template of the service."""
    return load(projects(combination) / "deploy" / "aws" / "service.yaml")


def load(file: Path) -> Stack:
    """Read a template."""
    content: Stack = yaml.load(file.read_text("utf-8"), Loader)  # noqa: S506  it is a SafeLoader
    return content


def of_type(stack: Stack, kind: str) -> dict[str, Any]:
    """Map the names of the resources of a type to their properties."""
    return {
        name: resource["Properties"]
        for name, resource in stack["Resources"].items()
        if resource["Type"] == f"AWS::{kind}"
    }


def containers(stack: Stack) -> dict[str, Any]:
    """Map the name of each container to its definition."""
    tasks = of_type(stack, "ECS::TaskDefinition").values()
    definitions = [container for task in tasks for container in task["ContainerDefinitions"]]
    return {container["Name"]: container for container in definitions}


def test_there_is_what_the_options_need_and_nothing_else(stack: Stack, combination: str) -> None:
    assert set(stack["Resources"]) == RESOURCES[combination]


def test_what_is_off_is_not_mentioned(projects: Projects) -> None:
    for name, words in {
        "nothing": r"postgres|database|redis\b|migrat|worker|scheduler|5432|6379|Secrets|cors|otel"
        r"|collector|metricst|metricsi|metrics_|monitor",
        "no-redis": r"redis\b|6379|AUTH_SECRETS",
        "no-database": r"postgres|database|migrat|5432|AUTH_SECRETS",
    }.items():
        for file in (projects(name) / "deploy" / "aws").iterdir():
            assert not re.search(words, file.read_text("utf-8"), re.IGNORECASE), file


def test_containers_are_restricted(stack: Stack) -> None:
    for container in containers(stack).values():
        assert container["User"] == "10001:10001"
        assert container["ReadonlyRootFilesystem"] is True
        assert container["LinuxParameters"] == {"Capabilities": {"Drop": ["ALL"]}}
        assert container["MountPoints"] == [{"SourceVolume": "tmp", "ContainerPath": "/tmp"}]  # noqa: S108
    for service in of_type(stack, "ECS::Service").values():
        network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert network["AssignPublicIp"] == "DISABLED"
        assert network["SecurityGroups"] == [{"Ref": "ServiceSecurityGroup"}]


def test_the_image_gives_tasks_a_tmp_that_they_may_write_to(projects: Projects) -> None:
    dockerfile = (projects("everything") / "Dockerfile").read_text("utf-8")
    assert re.search("(?m)^VOLUME /tmp$", dockerfile)


def test_a_task_lives_long_enough_to_finish(stack: Stack) -> None:
    web = containers(stack)["web"]
    variables = {each["Name"]: each["Value"] for each in web["Environment"]}
    for container in containers(stack).values():
        assert int(variables["SHUTDOWN_TIMEOUT"]) < container["StopTimeout"] <= 120
    attributes = of_type(stack, "ElasticLoadBalancingV2::TargetGroup")["TargetGroup"]
    [delay] = attributes["TargetGroupAttributes"]
    assert (delay["Key"], delay["Value"]) == ("deregistration_delay.timeout_seconds", "30")
    assert "DRAIN_SECONDS" not in variables


def test_ports_agree(stack: Stack) -> None:
    web = containers(stack)["web"]
    [port] = {each["Value"] for each in web["Environment"] if each["Name"] == "PORT"}
    target = of_type(stack, "ElasticLoadBalancingV2::TargetGroup")["TargetGroup"]
    [balancer] = of_type(stack, "ECS::Service")["WebService"]["LoadBalancers"]
    ingress = of_type(stack, "EC2::SecurityGroupIngress")["ServiceIngress"]
    assert web["PortMappings"] == [{"ContainerPort": int(port), "Protocol": "tcp"}]
    assert {target["Port"], balancer["ContainerPort"], ingress["FromPort"], ingress["ToPort"]} == {
        int(port)
    }


def test_only_neighbours_may_talk_to_each_other(stack: Stack) -> None:
    groups = of_type(stack, "EC2::SecurityGroup")
    rules = of_type(stack, "EC2::SecurityGroupIngress")
    monitors = {"Ref": "MonitoringSecurityGroupId"}
    metrics = rules.pop("MetricsIngress", {"SourceSecurityGroupId": monitors})
    assert metrics["SourceSecurityGroupId"] == monitors
    for traces in of_type(stack, "EC2::SecurityGroupEgress").values():
        assert traces["DestinationSecurityGroupId"] == monitors
    came_in = {
        (rule["SourceSecurityGroupId"]["Fn::GetAtt"], rule["GroupId"]["Fn::GetAtt"], rule["ToPort"])
        for rule in rules.values()
    }
    went_out = {
        (f"{name}.GroupId", rule["DestinationSecurityGroupId"]["Fn::GetAtt"], rule["ToPort"])
        for name, group in groups.items()
        for rule in group["SecurityGroupEgress"]
        if "DestinationSecurityGroupId" in rule
    }
    assert came_in == went_out
    public = {name for name, group in groups.items() if "SecurityGroupIngress" in group}
    assert public == {"LoadBalancerSecurityGroup"}


def test_the_role_may_only_start_tasks(stack: Stack) -> None:
    [role] = of_type(stack, "IAM::Role").values()
    [policy] = role["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    everywhere = [each["Action"] for each in statements if each["Resource"] == "*"]
    assert everywhere == ["ecr:GetAuthorizationToken"]
    assert not re.search(r'"[a-z]+:[A-Za-z]*\*"', json.dumps(statements))
    readable = [each for each in statements if each["Action"] == "secretsmanager:GetSecretValue"]
    given = [secret["Ref"] for each in readable for secret in each["Resource"]]
    used = {
        secret["ValueFrom"]["Ref"]
        for container in containers(stack).values()
        for secret in container.get("Secrets", [])
    }
    assert set(given) == used
    assert not any("TaskRoleArn" in task for task in of_type(stack, "ECS::TaskDefinition").values())


def test_what_keeps_data_is_kept(stack: Stack) -> None:
    for kind in ("RDS::DBInstance", "ElastiCache::ReplicationGroup"):
        for name in of_type(stack, kind):
            assert stack["Resources"][name]["DeletionPolicy"] == "Snapshot"
            assert stack["Resources"][name]["UpdateReplacePolicy"] == "Snapshot"
    for database in of_type(stack, "RDS::DBInstance").values():
        assert database["StorageEncrypted"]
        assert database["DeletionProtection"]
        assert not database["PubliclyAccessible"]
    for redis in of_type(stack, "ElastiCache::ReplicationGroup").values():
        assert redis["TransitEncryptionEnabled"]
        assert redis["AtRestEncryptionEnabled"]


def test_exactly_one_scheduler_runs(stack: Stack) -> None:
    for name, service in of_type(stack, "ECS::Service").items():
        deployment = service["DeploymentConfiguration"]
        assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        limits = (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"])
        assert limits == ((0, 100) if name == "SchedulerService" else (100, 200))
        if name == "SchedulerService":
            assert service["DesiredCount"] == 1


def test_the_commands_are_modules_of_the_project(
    projects: Projects, stack: Stack, combination: str
) -> None:
    for container in containers(stack).values():
        match container["Command"]:
            case ["python", "-m", module]:
                assert has_module(projects(combination), module), module
            case command:
                assert command == ["alembic", "upgrade", "heads"]


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"aws": True, "docker": False}, "aws: It runs container images"),
        ({"aws": True, "database": "sqlite"}, "cannot share a file"),
    ],
)
def test_what_cannot_work_is_refused(
    template: Path, tmp_path: Path, answers: Answers, sentence: str
) -> None:
    expect_refusal(template, tmp_path, answers, sentence)


@pytest.mark.slow
def test_the_linter_finds_nothing(projects: Projects, tmp_path: Path) -> None:
    files = collect(projects, tmp_path)
    check(BIN / "cfn-lint", *files, cwd=tmp_path)
    broken = tmp_path / "broken.yaml"
    text = (tmp_path / "nothing.yaml").read_text("utf-8")
    broken.write_text(text.replace("TargetType: ip", "TargetType: IP"), "utf-8")
    assert run(BIN / "cfn-lint", broken, cwd=tmp_path).returncode != 0


@pytest.mark.slow
def test_the_policies_of_the_scanner_are_kept(projects: Projects, tmp_path: Path) -> None:
    collect(projects, tmp_path)
    report = scan(tmp_path, "cloudformation")
    assert report["summary"]["passed"] > 100
    assert findings(report) == []


def collect(projects: Projects, folder: Path) -> list[Path]:
    """Copy the templates into one folder: of all combinations, save what is the same in all."""
    sources = {name: projects(name) / "deploy" / "aws" / "service.yaml" for name in COMBINATIONS}
    sources["registry"] = sources["everything"].with_name("registry.yaml")
    for name, source in sources.items():
        (folder / f"{name}.yaml").write_text(source.read_text("utf-8"), "utf-8")
    return sorted(folder.iterdir())


def test_the_release_script_is_sound_shell(projects: Projects, combination: str) -> None:
    script = projects(combination) / "deploy" / "aws" / "release.sh"
    check("sh", "-n", script, cwd=script.parent)
    assert os.access(script, os.X_OK)


# --- A mock of AWS ----------------------------------------------------------------------------


@pytest.fixture
def aws() -> Iterator[Callable[[str], Any]]:
    """Give clients of a mock of AWS."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    httpx2.post(f"{url}/moto-api/reset").raise_for_status()

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=url,
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106  the mock knows no other
        )

    yield client
    server.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Tried to parse")
def test_a_stack_is_created_updated_and_deleted(
    projects: Projects, stack: Stack, combination: str, aws: Callable[[str], Any]
) -> None:
    cloudformation, ecs = aws("cloudformation"), aws("ecs")
    folder = projects(combination) / "deploy" / "aws"

    def describe(name: str) -> dict[str, Any]:
        [described] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        return dict(described)

    registry = (folder / "registry.yaml").read_text("utf-8")
    cloudformation.create_stack(StackName="registry", TemplateBody=registry)
    [image] = describe("registry")["Outputs"]
    slug = projects(combination).name
    assert image["OutputValue"].endswith(f".amazonaws.com/{slug}")

    network = make_network(aws)
    if "MonitoringSecurityGroupId" in stack["Parameters"]:
        group = aws("ec2").create_security_group(GroupName="monitoring", Description="Prometheus")
        network["MonitoringSecurityGroupId"] = group["GroupId"]
    template = (folder / "service.yaml").read_text("utf-8")

    def apply(action: Callable[..., Any], **parameters: str) -> dict[str, Any]:
        pairs = {**network, **parameters}.items()
        action(
            StackName="service",
            TemplateBody=template,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in pairs],
        )
        return describe("service")

    assert apply(cloudformation.create_stack)["StackStatus"] == "CREATE_COMPLETE"
    assert made(cloudformation) == expected(stack, "Monitored")

    assert apply(cloudformation.update_stack, ReleaseTag="1.0")["StackStatus"] == "UPDATE_COMPLETE"
    assert made(cloudformation) == expected(stack, "Monitored", "Released")
    [cluster] = ecs.list_clusters()["clusterArns"]
    services = ecs.list_services(cluster=cluster)["serviceArns"]
    assert len(services) == len(of_type(stack, "ECS::Service"))
    for service in ecs.describe_services(cluster=cluster, services=services)["services"]:
        task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
        [container] = task["taskDefinition"]["containerDefinitions"]
        assert container["image"] == f"{image['OutputValue']}:1.0"

    cloudformation.delete_stack(StackName="service")
    with pytest.raises(ClientError, match="does not exist"):
        describe("service")
    assert not aws("elbv2").describe_load_balancers()["LoadBalancers"]


def make_network(aws: Callable[[str], Any]) -> Environment:
    """Make what the stack wants to find, and give it as parameters."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"eu-central-1{zone}"
        )["Subnet"]["SubnetId"]
        for number, zone in enumerate("abab")
    ]
    certificate = aws("acm").request_certificate(DomainName="api.example.com")["CertificateArn"]
    return {
        "DomainName": "api.example.com",
        "CertificateArn": certificate,
        "VpcId": vpc,
        "PublicSubnetIds": ",".join(subnets[:2]),
        "PrivateSubnetIds": ",".join(subnets[2:]),
    }


def made(cloudformation: Any) -> set[str]:
    """Name what the mock has made for the stack."""
    summaries = cloudformation.list_stack_resources(StackName="service")["StackResourceSummaries"]
    return {each["LogicalResourceId"] for each in summaries if each["LogicalResourceId"]}


def expected(stack: Stack, *conditions: str) -> set[str]:
    """Name what the mock can make of the template, where these conditions hold."""
    return {
        name
        for name, resource in stack["Resources"].items()
        if resource["Type"] not in UNKNOWN_TO_THE_MOCK
        and resource.get("Condition") in {None, *conditions}
    }


# --- Commands, run with an aws that writes down what it is told -------------------------------


def fake_aws(folder: Path) -> tuple[Environment, Path]:
    """Give an environment whose aws talks to nobody, and the list of what it was told."""
    log = folder / "commands.txt"
    for name in ("aws", "docker"):
        program = folder / name
        program.write_text(FAKE_AWS if name == "aws" else "#!/bin/sh\n", "utf-8")
        program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "AWS_LOG": str(log)}, log


def test_a_release_migrates_first(projects: Projects, combination: str, tmp_path: Path) -> None:
    environment, log = fake_aws(tmp_path)
    command = ("deploy/aws/release.sh", "production", "1.0")
    check("sh", *command, cwd=projects(combination), **environment)
    commands = log.read_text("utf-8").splitlines()
    if "MigrationTask" in RESOURCES[combination]:
        deploys = [each for each in commands if "cloudformation deploy" in each]
        assert [each.split()[-1] for each in deploys] == ["MigrationTag=1.0", "ReleaseTag=1.0"]
        [started] = [each for each in commands if "run-task" in each]
        assert "--cluster the-Cluster --task-definition the-MigrationTask" in started
        assert "--network-configuration the-Network" in started
        assert commands.index(deploys[0]) < commands.index(started) < commands.index(deploys[1])
    else:
        [deploy] = commands
        assert deploy.endswith("ReleaseTag=1.0")


@pytest.mark.parametrize("status", ["1", "None"])
def test_a_failed_migration_stops_the_release(
    projects: Projects, status: str, tmp_path: Path
) -> None:
    environment, log = fake_aws(tmp_path)
    environment["MIGRATION_STATUS"] = status
    command = ("deploy/aws/release.sh", "production", "1.0")
    result = run("sh", *command, cwd=projects("everything"), **environment)
    assert result.returncode == 1
    assert "Nothing was released." in result.stderr
    assert "ReleaseTag" not in log.read_text("utf-8")


def test_the_commands_of_the_docs_give_every_parameter(
    projects: Projects, stack: Stack, tmp_path: Path
) -> None:
    text = (REPOSITORY / "docs" / "aws.md").read_text("utf-8")
    commands = "\n".join(re.findall(r"(?s)```sh\n(.*?)```", text))
    environment, log = fake_aws(tmp_path)
    check("sh", "-euc", commands, cwd=projects("everything"), **environment)
    given = set(re.findall(r" ([A-Z]\w+)=", log.read_text("utf-8")))
    needed = {name for name, each in stack["Parameters"].items() if "Default" not in each}
    assert needed <= given
    assert given <= set(load(projects("everything") / "deploy/aws/service.yaml")["Parameters"])


# --- The service, given what the template gives it --------------------------------------------

SETTINGS = """
import json, sys
from app.health import HEALTH_PATHS
from app.settings import Settings, get_settings
get_settings()
print(json.dumps([[name.upper() for name in Settings.model_fields], list(HEALTH_PATHS)]))
"""


@pytest.fixture(scope="session")
def python(projects: Projects) -> Path:
    """Install what the service with everything on needs, which is enough for all of them."""
    return install_everything(projects)


def environment_of(stack: Stack, container: Stack) -> Environment:
    """Work out the environment that a container gets."""
    parameters = {
        "DomainName": "api.example.com",
        "CorsOrigins": "https://app.example.com",
        "CollectorEndpoint": "http://collector.internal:4318",
    }
    values = {
        each["Name"]: parameters[each["Value"]["Ref"]]
        if isinstance(each["Value"], dict)
        else each["Value"]
        for each in container["Environment"]
    }
    for secret in container.get("Secrets", []):
        properties = stack["Resources"][secret["ValueFrom"]["Ref"]]["Properties"]
        generated = properties.get("GenerateSecretString", {})
        text = "x7" * (generated.get("PasswordLength", 0) // 2)
        if "SecretString" in properties:
            text = re.sub(r"\{\{.*?\}\}", "x7" * 24, properties["SecretString"]["Fn::Sub"])
            text = re.sub(r"\$\{\w+\.\w+\.Address\}", "store.example.com", text)
            text = re.sub(r"\$\{\w+\.\w+\.Port\}", "5432", text)
        values[secret["Name"]] = text
    return values


@pytest.mark.slow
def test_each_name_is_a_setting_and_none_is_missing(
    projects: Projects, stack: Stack, combination: str, python: Path
) -> None:
    for container in containers(stack).values():
        environment = environment_of(stack, container)
        result = subprocess.run(
            [python, "-c", SETTINGS],
            cwd=projects(combination),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        names, health_paths = json.loads(result.stdout)
        assert set(environment) <= set(names)
        target = of_type(stack, "ElasticLoadBalancingV2::TargetGroup")["TargetGroup"]
        assert target["HealthCheckPath"] in health_paths
