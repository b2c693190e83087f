#include "grid/membership/membership_metrics.h"

namespace grid {
namespace {

constexpr auto kCounter = MetricKind::kCounter;
constexpr auto kGauge = MetricKind::kGauge;

constexpr FieldMetric<MembershipStats> kMembership[] = {
    {{"membership_members", kGauge, "Members in the view, those that are down included"},
     &MembershipStats::members},
    {{"membership_joined", kGauge, "1 while others see us"}, &MembershipStats::joined},
    {{"membership_views", kGauge, "The number of the newest view"}, &MembershipStats::views},
    {{"membership_lost", kCounter, "Times that our own membership was lost with its lease"},
     &MembershipStats::lost},
    {{"membership_suspected", kCounter, "Members that were not heard of"},
     &MembershipStats::suspected},
    {{"membership_retries", kCounter, "Attempts after a failure to join, tell or watch"},
     &MembershipStats::retries},
    {{"membership_tombstones", kGauge, "Incarnations that somebody has declared down"},
     &MembershipStats::tombstones},
    {{"membership_declared", kCounter, "Times that this member has declared one down"},
     &MembershipStats::declared},
    {{"membership_renounced", kCounter, "Times that this member was declared down"},
     &MembershipStats::renounced},
    {{"membership_ignored", kCounter, "Entries that are not those of the member that made them"},
     &MembershipStats::ignored},
    {{"membership_member_limit", kCounter, "Members left out: max_members"},
     &MembershipStats::member_limit},
    {{"membership_watch_limit", kCounter, "Watches refused: max_watches"},
     &MembershipStats::watch_limit},
    {{"membership_tombstone_limit", kCounter, "Tombstones left out or refused: max_tombstones"},
     &MembershipStats::tombstone_limit},
};

}  // namespace

absl::Span<const FieldMetric<MembershipStats>> MembershipMetrics() { return kMembership; }

void ExportMetrics(const MembershipStats& stats, MetricsSink& sink) {
  ExportFields(MembershipMetrics(), stats, sink);
}

}  // namespace grid
