#include "grid/actor/actor_metrics.h"

#include "grid/actor/kind_starter.h"
#include "grid/actor/patrol.h"
#include "grid/actor/producer.h"
#include "grid/actor/publisher.h"

namespace grid {
namespace {

constexpr auto kCounter = MetricKind::kCounter;
constexpr auto kGauge = MetricKind::kGauge;

constexpr FieldMetric<ActorStats> kActors[] = {
    {{"actor_residents", kGauge, "Actors and mailboxes"}, &ActorStats::residents},
    {{"actor_started", kCounter, "Actors and mailboxes that got their names"},
     &ActorStats::started},
    {{"actor_start_failed", kCounter, "Actors and mailboxes that did not"},
     &ActorStats::start_failed},
    {{"actor_handled", kCounter, "Letters whose handlers have ended"}, &ActorStats::handled},
    {{"actor_failed", kCounter, "Answers that were errors of the actors"}, &ActorStats::failed},
    {{"actor_unheard", kCounter, "Errors of actors that nobody waited for"}, &ActorStats::unheard},
    {{"actor_unread", kCounter, "Letters that were refused, mostly as they could not be decoded"},
     &ActorStats::unread},
    {{"actor_unencodable", kCounter, "Answers that could not be encoded"},
     &ActorStats::unencodable},
    {{"actor_no_reply", kCounter, "Letters let go while somebody waited"}, &ActorStats::no_reply},
    {{"actor_exceptions", kCounter, "Exceptions let out by handlers, timers and starts"},
     &ActorStats::exceptions},
    {{"actor_restarts", kCounter, "Restarts of actors"}, &ActorStats::restarts},
    {{"actor_restart_limit", kCounter, "Actors stopped: max_restarts"}, &ActorStats::restart_limit},
    {{"actor_rejected_full", kCounter, "Letters refused by a full mailbox"},
     &ActorStats::rejected_full},
    {{"actor_dropped_oldest", kCounter, "Letters that made room for a newer one"},
     &ActorStats::dropped_oldest},
    {{"actor_waited", kCounter, "Letters that waited for room in a mailbox"}, &ActorStats::waited},
    {{"actor_waiting_rejected", kCounter, "Letters refused as too many others waited"},
     &ActorStats::waiting_rejected},
    {{"actor_closed", kCounter, "Letters answered as closed, not executed"}, &ActorStats::closed},
    {{"actor_expired", kCounter, "Letters whose deadline passed before their turn"},
     &ActorStats::expired},
    {{"actor_cancelled", kCounter, "Letters whose sender gave up before their turn"},
     &ActorStats::cancelled},
    {{"actor_unknown_type", kCounter, "Letters of a type that the actor does not know"},
     &ActorStats::unknown_type},
    {{"actor_leases_lost", kCounter, "Actors and mailboxes that lost their lease"},
     &ActorStats::leases_lost},
    {{"actor_reclaimed", kCounter, "Shared names registered again after a lost lease"},
     &ActorStats::reclaimed},
    {{"actor_timers_run", kCounter, "Timers that came due"}, &ActorStats::timers_run},
    {{"actor_timer_limit", kCounter, "Timers refused: max_timers"}, &ActorStats::timer_limit},
    {{"actor_actor_limit", kCounter, "Starts refused: max_actors"}, &ActorStats::actor_limit},
    {{"actor_deliveries", kGauge, "Letters of other processes whose outcome is open"},
     &ActorStats::deliveries},
    {{"actor_delivery_limit", kCounter, "Letters refused: max_deliveries"},
     &ActorStats::delivery_limit},
    {{"actor_malformed", kCounter, "Deliveries that could not be read"}, &ActorStats::malformed},
    {{"actor_missing", kCounter, "Letters for a target that is not here"}, &ActorStats::missing},
    {{"actor_untrusted", kCounter, "Letters refused by trusted callers"}, &ActorStats::untrusted},
    {{"actor_remembered", kGauge, "Outcomes kept for calls that come twice"},
     &ActorStats::remembered},
    {{"actor_repeated", kCounter, "Calls that came twice, and ran once"}, &ActorStats::repeated},
    {{"actor_remembered_limit", kCounter, "Calls refused: max_remembered"},
     &ActorStats::remembered_limit},
    {{"actor_calls", kCounter, "Calls begun"}, &ActorStats::calls},
    {{"actor_sends", kCounter, "Sends begun"}, &ActorStats::sends},
    {{"actor_gathers", kCounter, "Gathers begun"}, &ActorStats::gathers},
    {{"actor_under_way", kGauge, "Verbs under way"}, &ActorStats::under_way},
    {{"actor_watches", kGauge, "Handles that watch the directory"}, &ActorStats::watches},
    {{"actor_retries", kCounter, "Attempts after the first"}, &ActorStats::retries},
    {{"actor_refreshed", kCounter, "Times the directory was asked anew: no such target"},
     &ActorStats::refreshed},
    {{"actor_resolved", kCounter, "Times the directory was asked"}, &ActorStats::resolved},
    {{"actor_stale", kCounter, "Answers of the directory from what was seen before"},
     &ActorStats::stale},
    {{"actor_targets_failed", kCounter, "Targets that left the rotation"},
     &ActorStats::targets_failed},
    {{"actor_verbs_expired", kCounter, "Verbs ended by their deadline"},
     &ActorStats::verbs_expired},
    {{"actor_verbs_cancelled", kCounter, "Verbs ended by their caller"},
     &ActorStats::verbs_cancelled},
    {{"actor_waiting_calls", kGauge, "Messages that wait for a holder of a name"},
     &ActorStats::waiting_calls},
    {{"actor_call_limit", kCounter, "Verbs refused: max_calls"}, &ActorStats::call_limit},
    {{"actor_waiting_limit", kCounter, "Verbs refused: max_waiting_calls"},
     &ActorStats::waiting_limit},
    {{"actor_target_limit", kCounter, "Verbs refused: max_targets"}, &ActorStats::target_limit},
    {{"actor_fan_out_limit", kCounter, "Members that waited for their turn: max_fan_out"},
     &ActorStats::fan_out_limit},
    {{"actor_handle_limit", kCounter, "Verbs that asked the directory: max_handles"},
     &ActorStats::handle_limit},
};

constexpr FieldMetric<KindHostStats> kKindHosts[] = {
    {{"kind_started", kCounter, "Actors started"}, &KindHostStats::started},
    {{"kind_already_running", kCounter, "Starts that found the name held"},
     &KindHostStats::already_running},
    {{"kind_refused", kCounter, "Starts refused by an admission filter"}, &KindHostStats::refused},
    {{"kind_no_kind", kCounter, "Starts of a kind that is not hosted here"},
     &KindHostStats::no_kind},
    {{"kind_failed", kCounter, "Starts that came to an error"}, &KindHostStats::failed},
    {{"kind_stopped", kCounter, "Actors stopped"}, &KindHostStats::stopped},
    {{"kind_killed", kCounter, "Actors killed, as they had not stopped in time"},
     &KindHostStats::killed},
    {{"kind_under_way", kGauge, "Starts and stops under way"}, &KindHostStats::under_way},
    {{"kind_limit", kCounter, "Starts and stops refused: max_under_way"}, &KindHostStats::limit},
};

constexpr FieldMetric<KindStarterStats> kKindStarters[] = {
    {{"starter_started", kCounter, "Actors started"}, &KindStarterStats::started},
    {{"starter_already_running", kCounter, "Starts that found the name held"},
     &KindStarterStats::already_running},
    {{"starter_refused", kCounter, "Starts refused by an admission filter"},
     &KindStarterStats::refused},
    {{"starter_failed", kCounter, "Starts that came to an error otherwise"},
     &KindStarterStats::failed},
    {{"starter_retries", kCounter, "Attempts after the first"}, &KindStarterStats::retries},
    {{"starter_under_way", kGauge, "Starts under way"}, &KindStarterStats::under_way},
    {{"starter_limit", kCounter, "Starts refused: max_under_way"}, &KindStarterStats::limit},
};

constexpr FieldMetric<PatrolStats> kPatrols[] = {
    {{"patrol_acting", kGauge, "1 while it is this process that acts"}, &PatrolStats::acting},
    {{"patrol_desired", kGauge, "Actors that are to run, where this process acts"},
     &PatrolStats::desired},
    {{"patrol_running", kGauge, "Actors that run, where this process acts"}, &PatrolStats::running},
    {{"patrol_started", kCounter, "Actors started"}, &PatrolStats::started},
    {{"patrol_stopped", kCounter, "Actors stopped"}, &PatrolStats::stopped},
    {{"patrol_killed", kCounter, "Actors killed, as they had not stopped in time"},
     &PatrolStats::killed},
    {{"patrol_start_failures", kCounter, "Starts that came to an error"},
     &PatrolStats::start_failures},
    {{"patrol_stop_failures", kCounter, "Stops that came to an error"},
     &PatrolStats::stop_failures},
    {{"patrol_count_errors", kCounter, "Counts that threw, or were too great"},
     &PatrolStats::count_errors},
    {{"patrol_terms", kCounter, "Times that this process began to act"}, &PatrolStats::terms},
    {{"patrol_lost", kCounter, "Times that this ended with the lease"}, &PatrolStats::lost},
};

constexpr FieldMetric<PublisherStats> kPublishers[] = {
    {{"publisher_published", kCounter, "Publications begun"}, &PublisherStats::published},
    {{"publisher_republished", kCounter, "Publications begun once more"},
     &PublisherStats::republished},
    {{"publisher_reached", kCounter, "Subscribers reached, of each publication"},
     &PublisherStats::reached},
    {{"publisher_failed", kCounter, "Subscribers not reached, of each publication"},
     &PublisherStats::failed},
    {{"publisher_not_published", kCounter,
      "Publications that ended with an error before anybody was asked"},
     &PublisherStats::not_published},
    {{"publisher_waiting", kGauge, "Publications that wait for their turn"},
     &PublisherStats::waiting},
    {{"publisher_under_way", kGauge, "Publications under way"}, &PublisherStats::under_way},
    {{"publisher_queue_limit", kCounter, "Publications rejected: max_queue or max_queue_bytes"},
     &PublisherStats::queue_limit},
    {{"publisher_cancelled", kCounter, "Publications cancelled by their callers"},
     &PublisherStats::cancelled},
};

constexpr FieldMetric<ProducerStats> kProducers[] = {
    {{"producer_produced", kCounter, "Items taken"}, &ProducerStats::produced},
    {{"producer_sent", kCounter, "Items sent"}, &ProducerStats::sent},
    {{"producer_failed", kCounter, "Items that were not"}, &ProducerStats::failed},
    {{"producer_batches", kCounter, "Batches sent"}, &ProducerStats::batches},
    {{"producer_failures", kCounter, "Failures of batches"}, &ProducerStats::failures},
    {{"producer_retries", kCounter, "Attempts at batches after the first"},
     &ProducerStats::retries},
    {{"producer_queue_limit", kCounter, "Items rejected: max_queue or max_queue_bytes"},
     &ProducerStats::queue_limit},
    {{"producer_refused", kCounter, "Items that could not be encoded, or came after the stop"},
     &ProducerStats::refused},
    {{"producer_decision_errors", kCounter, "Exceptions let out by on_failure"},
     &ProducerStats::decision_errors},
    {{"producer_waiting", kGauge, "Items that are not sent yet"}, &ProducerStats::waiting},
    {{"producer_waiting_bytes", kGauge, "Bytes of these"}, &ProducerStats::waiting_bytes},
    {{"producer_under_way", kGauge, "Items of the batch under way"}, &ProducerStats::under_way},
};

constexpr FieldMetric<SequenceCheck::Stats> kSequences[] = {
    {{"sequence_publishers", kGauge, "Publishers remembered"}, &SequenceCheck::Stats::publishers},
    {{"sequence_seen", kCounter, "Publications seen"}, &SequenceCheck::Stats::seen},
    {{"sequence_missed", kGauge, "Publications passed over that have not come late"},
     &SequenceCheck::Stats::missed},
    {{"sequence_late", kCounter, "Publications that came late"}, &SequenceCheck::Stats::late},
    {{"sequence_duplicates", kCounter, "Publications that came twice"},
     &SequenceCheck::Stats::duplicates},
    {{"sequence_restarts", kCounter, "Publishers that were made anew"},
     &SequenceCheck::Stats::restarts},
    {{"sequence_outdated", kCounter, "Publications from before a restart of their publisher"},
     &SequenceCheck::Stats::outdated},
    {{"sequence_forgotten", kCounter, "Publishers forgotten: max_publishers"},
     &SequenceCheck::Stats::forgotten},
};

}  // namespace

absl::Span<const FieldMetric<ActorStats>> ActorMetrics() { return kActors; }
absl::Span<const FieldMetric<KindHostStats>> KindHostMetrics() { return kKindHosts; }
absl::Span<const FieldMetric<KindStarterStats>> KindStarterMetrics() { return kKindStarters; }
absl::Span<const FieldMetric<PatrolStats>> PatrolMetrics() { return kPatrols; }
absl::Span<const FieldMetric<PublisherStats>> PublisherMetrics() { return kPublishers; }
absl::Span<const FieldMetric<ProducerStats>> ProducerMetrics() { return kProducers; }
absl::Span<const FieldMetric<SequenceCheck::Stats>> SequenceCheckMetrics() { return kSequences; }

void ExportMetrics(const ActorStats& stats, MetricsSink& sink) {
  ExportFields(ActorMetrics(), stats, sink);
}
void ExportMetrics(const KindHostStats& stats, MetricsSink& sink) {
  ExportFields(KindHostMetrics(), stats, sink);
}
void ExportMetrics(const KindStarterStats& stats, MetricsSink& sink) {
  ExportFields(KindStarterMetrics(), stats, sink);
}
void ExportMetrics(const PatrolStats& stats, MetricsSink& sink) {
  ExportFields(PatrolMetrics(), stats, sink);
}
void ExportMetrics(const PublisherStats& stats, MetricsSink& sink) {
  ExportFields(PublisherMetrics(), stats, sink);
}
void ExportMetrics(const ProducerStats& stats, MetricsSink& sink) {
  ExportFields(ProducerMetrics(), stats, sink);
}
void ExportMetrics(const SequenceCheck::Stats& stats, MetricsSink& sink) {
  ExportFields(SequenceCheckMetrics(), stats, sink);
}

}  // namespace grid
