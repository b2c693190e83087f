#include "grid/directory/directory_metrics.h"

namespace grid {
namespace {

constexpr auto kCounter = MetricKind::kCounter;
constexpr auto kGauge = MetricKind::kGauge;

constexpr FieldMetric<DirectoryStats> kDirectory[] = {
    {{"directory_ready", kGauge, "1 while the session's lease runs"}, &DirectoryStats::ready},
    {{"directory_registrations", kGauge, "Names held, or on their way back"},
     &DirectoryStats::registrations},
    {{"directory_watches", kGauge, "Watches"}, &DirectoryStats::watches},
    {{"directory_operations", kGauge, "Operations under way"}, &DirectoryStats::operations},
    {{"directory_renewals", kCounter, "Renewals of the lease"}, &DirectoryStats::renewals},
    {{"directory_renewals_failed", kCounter, "Renewals that failed"},
     &DirectoryStats::renewals_failed},
    {{"directory_lapsed", kCounter, "Sessions whose lease ran out, or was ended"},
     &DirectoryStats::lapsed},
    {{"directory_lost", kCounter, "Registrations that went with their session"},
     &DirectoryStats::lost},
    {{"directory_claimed", kCounter, "Registrations renewed after a restart of the directory"},
     &DirectoryStats::claimed},
    {{"directory_retries", kCounter, "Attempts after the first"}, &DirectoryStats::retries},
    {{"directory_stale", kCounter, "Resolutions from what was seen before"},
     &DirectoryStats::stale},
    {{"directory_coalesced", kCounter, "Watches whose reader was too slow"},
     &DirectoryStats::coalesced},
    {{"directory_resubscribed", kCounter, "Watches begun again after the directory was lost"},
     &DirectoryStats::resubscribed},
    {{"directory_connections", kCounter, "Connections opened to etcd"},
     &DirectoryStats::connections},
    {{"directory_reused", kCounter, "Questions asked on a connection to etcd that was there"},
     &DirectoryStats::reused},
    {{"directory_registration_limit", kCounter, "Registrations refused: max_registrations"},
     &DirectoryStats::registration_limit},
    {{"directory_watch_limit", kCounter, "Watches refused: max_watches"},
     &DirectoryStats::watch_limit},
    {{"directory_operation_limit", kCounter, "Operations refused: max_operations"},
     &DirectoryStats::operation_limit},
    {{"directory_cache_limit", kCounter, "Resolutions forgotten: max_cached"},
     &DirectoryStats::cache_limit},
    {{"directory_answer_limit", kCounter, "Answers of etcd not taken: max_answer_bytes"},
     &DirectoryStats::answer_limit},
};

constexpr FieldMetric<RegistryStats> kRegistry[] = {
    {{"registry_entries", kGauge, "Registrations"}, &RegistryStats::entries},
    {{"registry_sessions", kGauge, "Members with a session"}, &RegistryStats::sessions},
    {{"registry_watches", kGauge, "Watches"}, &RegistryStats::watches},
    {{"registry_registered", kCounter, "Registrations made"}, &RegistryStats::registered},
    {{"registry_claimed", kCounter, "Registrations claimed after a restart"},
     &RegistryStats::claimed},
    {{"registry_deregistered", kCounter, "Registrations given back"}, &RegistryStats::deregistered},
    {{"registry_expired", kCounter, "Sessions whose lease ran out"}, &RegistryStats::expired},
    {{"registry_superseded", kCounter, "Sessions ended by a newer incarnation"},
     &RegistryStats::superseded},
    {{"registry_flushed", kCounter, "Registrations removed by a flush"}, &RegistryStats::flushed},
    {{"registry_coalesced", kCounter, "Watches whose reader was too slow"},
     &RegistryStats::coalesced},
    {{"registry_entry_limit", kCounter, "Registrations refused: max_entries"},
     &RegistryStats::entry_limit},
    {{"registry_session_limit", kCounter, "Sessions refused: max_sessions"},
     &RegistryStats::session_limit},
    {{"registry_watch_limit", kCounter, "Watches refused: max_watches"},
     &RegistryStats::watch_limit},
    {{"registry_already_held", kCounter, "Registrations refused as somebody holds the name"},
     &RegistryStats::already_held},
};

}  // namespace

absl::Span<const FieldMetric<DirectoryStats>> DirectoryMetrics() { return kDirectory; }
absl::Span<const FieldMetric<RegistryStats>> RegistryMetrics() { return kRegistry; }

void ExportMetrics(const DirectoryStats& stats, MetricsSink& sink) {
  ExportFields(DirectoryMetrics(), stats, sink);
}
void ExportMetrics(const RegistryStats& stats, MetricsSink& sink) {
  ExportFields(RegistryMetrics(), stats, sink);
}

}  // namespace grid
