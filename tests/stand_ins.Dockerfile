# Stand-ins for the images that a project builds on and starts, for machines that reach no registry:
# Debian's packages with the same users, paths, variables and commands. The contexts are the folder
# with rootfs.tar, and `certificates` with the authorities that the machine trusts.

FROM scratch AS python
ADD rootfs.tar /
COPY --from=certificates ca-certificates.crt /etc/ssl/certs/
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \
    && ln -s /usr/bin/python3 /usr/local/bin/python3 \
    && ln -s /usr/bin/python3 /usr/local/bin/python \
    && ln -s /usr/bin/pip3 /usr/local/bin/pip
CMD ["python3"]

FROM python AS servers
ENV DEBIAN_FRONTEND=noninteractive
RUN useradd --system --user-group --uid 999 --home-dir /var/lib/postgresql postgres \
    && useradd --system --user-group --uid 998 redis \
    && install --directory --owner redis --group redis /data \
    && install --directory /etc/postgresql-common \
    && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
    && apt-get update -qq \
    && apt-get install -qq --no-install-recommends postgresql redis-server \
    && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \
    && chmod 1777 /var/lib/postgresql \
    && chmod 3777 /run/postgresql

FROM servers AS redis
COPY --chmod=755 <<'SCRIPT' /usr/local/bin/docker-entrypoint.sh
#!/bin/sh
# the image's server has no protected mode
exec "$@" --protected-mode no
SCRIPT
WORKDIR /data
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]

FROM servers AS postgres
COPY --chmod=755 <<'SCRIPT' /usr/local/bin/docker-entrypoint.sh
#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?superuser password is not specified}"
  mkdir -p "$PGDATA"
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  # as the image does, it listens on its socket alone while it is set up
  pg_ctl --wait --options="-c listen_addresses=''" start
  createdb --username="$POSTGRES_USER" "${POSTGRES_DB:-$POSTGRES_USER}"
  pg_ctl --wait --mode=fast stop
fi
exec "$@" -c listen_addresses='*'
SCRIPT
ENV LANG=C.UTF-8 PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
