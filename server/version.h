/*
 * version - what this build calls itself.
 *
 * Clients compare the version of a Prometheus strictly (semver, at least 2.24.0), so the API
 * reports the Prometheus whose behaviour we follow, with our own version as build metadata.
 */
#ifndef HEARTH_SERVER_VERSION_H
#define HEARTH_SERVER_VERSION_H

#ifndef HEARTH_VERSION
#    error "the build defines HEARTH_VERSION"
#endif
#ifndef HEARTH_REVISION
#    define HEARTH_REVISION "unknown"
#endif

#define HEARTH_PROMETHEUS_VERSION "3.14.0"
#define HEARTH_API_VERSION        HEARTH_PROMETHEUS_VERSION "+hearth." HEARTH_VERSION

#endif
