#!/bin/sh
# Release an image that is in the registry: deploy/aws/release.sh STACK TAG
set -eu
stack=${1:?which stack?}
tag=${2:?which release?}

deploy() {
    aws cloudformation deploy --stack-name "$stack" --template-file "$(dirname "$0")/service.yaml" \
        --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset --parameter-overrides "$@"
}
# {% if database != 'none' %}

output() {
    aws cloudformation describe-stacks --stack-name "$stack" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

# The migration of the new release runs while the old one still serves.
deploy "MigrationTag=$tag"
task=$(aws ecs run-task --cluster "$(output Cluster)" --task-definition "$(output MigrationTask)" \
    --launch-type FARGATE --network-configuration "$(output Network)" \
    --query 'tasks[0].taskArn' --output text)
aws ecs wait tasks-stopped --cluster "$(output Cluster)" --tasks "$task"
status=$(aws ecs describe-tasks --cluster "$(output Cluster)" --tasks "$task" \
    --query 'tasks[0].containers[0].exitCode' --output text)
if [ "$status" != 0 ]; then
    echo "The migration failed with status $status; its log tells why. Nothing was released." >&2
    exit 1
fi
# {% endif %}

deploy "ReleaseTag=$tag"
