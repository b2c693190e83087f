#include "grid/directory/call_policy.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "grid/directory/text_cursor.h"

namespace grid {
namespace {

using internal::DurationText;
using internal::TextCursor;
using std::chrono::milliseconds;

constexpr milliseconds kLongest{UINT32_MAX};
constexpr Delivery kDeliveries[] = {Delivery::kNotSent, Delivery::kRejected,
                                    Delivery::kMaybeExecuted, Delivery::kExecuted};
constexpr Acknowledgement kLevels[] = {Acknowledgement::kAccepted, Acknowledgement::kDelivered,
                                       Acknowledgement::kProcessed};

absl::Status OutOfRange(const char* field, const std::string& range) {
  return absl::InvalidArgumentError(absl::StrCat("CallPolicy::", field, " must be ", range));
}

bool* RetryField(CallPolicy& policy, Delivery delivery) {
  switch (delivery) {
    case Delivery::kNotSent:
      return &policy.retry_not_sent;
    case Delivery::kRejected:
      return &policy.retry_rejected;
    case Delivery::kMaybeExecuted:
      return &policy.retry_maybe_executed;
    case Delivery::kExecuted:
      break;
  }
  return &policy.retry_executed;
}

absl::Status ReadMillis(TextCursor& cursor, milliseconds& field) {
  const absl::StatusOr<milliseconds> value = cursor.Millis();
  if (!value.ok()) return value.status();
  field = *value;
  return absl::OkStatus();
}

absl::Status ReadNumber(TextCursor& cursor, uint32_t& field) {
  const absl::StatusOr<uint64_t> value = cursor.Number(UINT32_MAX);
  if (!value.ok()) return value.status();
  field = static_cast<uint32_t>(*value);
  return absl::OkStatus();
}

// "50ms*2..1s".
absl::Status ReadBackOff(TextCursor& cursor, BackOff& back_off) {
  absl::Status status = ReadMillis(cursor, back_off.first);
  if (status.ok()) status = cursor.Expect("*");
  if (status.ok()) status = ReadNumber(cursor, back_off.factor);
  if (status.ok()) status = cursor.Expect("..");
  if (status.ok()) status = ReadMillis(cursor, back_off.most);
  return status;
}

// "not-sent,rejected", in the order of the classes; "none".
absl::Status ReadRetry(TextCursor& cursor, CallPolicy& policy) {
  for (const Delivery delivery : kDeliveries) *RetryField(policy, delivery) = false;
  if (cursor.Skip("none")) return absl::OkStatus();
  bool first = true;
  for (const Delivery delivery : kDeliveries) {
    const std::string name(DeliveryName(delivery));
    if (!cursor.Skip(first ? name : absl::StrCat(",", name))) continue;
    *RetryField(policy, delivery) = true;
    first = false;
  }
  if (!first) return absl::OkStatus();
  return cursor.Refuse(
      "expected none, or some of not-sent,rejected,maybe-executed,executed in this order");
}

absl::Status ReadAcknowledgement(TextCursor& cursor, Acknowledgement& field) {
  for (const Acknowledgement level : kLevels) {
    if (!cursor.Skip(AcknowledgementName(level))) continue;
    field = level;
    return absl::OkStatus();
  }
  return cursor.Refuse("expected accepted, delivered or processed");
}

// "off", or a duration.
absl::Status ReadOptional(TextCursor& cursor, milliseconds& field) {
  field = milliseconds(0);
  return cursor.Skip("off") ? absl::OkStatus() : ReadMillis(cursor, field);
}

absl::Status ReadSwitch(TextCursor& cursor, bool& field) {
  field = cursor.Skip("on");
  return field || cursor.Skip("off") ? absl::OkStatus() : cursor.Refuse("expected on or off");
}

std::string OptionalText(milliseconds value) {
  return value.count() == 0 ? "off" : DurationText(value);
}

absl::Status ReadField(TextCursor& cursor, size_t field, CallPolicy& policy) {
  switch (field) {
    case 0:
      return ReadMillis(cursor, policy.deadline);
    case 1:
      return ReadNumber(cursor, policy.attempts);
    case 2:
      return ReadBackOff(cursor, policy.back_off);
    case 3:
      if (absl::Status status = ReadNumber(cursor, policy.back_off.jitter_percent); !status.ok()) {
        return status;
      }
      return cursor.Expect("%");
    case 4:
      return ReadRetry(cursor, policy);
    case 5:
      return ReadOptional(cursor, policy.deduplicate);
    case 6:
      return ReadAcknowledgement(cursor, policy.acknowledge);
    case 7:
      return ReadOptional(cursor, policy.hand_over);
    default:
      return ReadSwitch(cursor, policy.wait_for_holder);
  }
}

constexpr std::string_view kFields[] = {"deadline=", "attempts=", "backoff=",  "jitter=", "retry=",
                                        "dedup=",    "ack=",      "handover=", "wait="};

}  // namespace

std::string_view AcknowledgementName(Acknowledgement level) {
  switch (level) {
    case Acknowledgement::kAccepted:
      return "accepted";
    case Acknowledgement::kDelivered:
      return "delivered";
    case Acknowledgement::kProcessed:
      break;
  }
  return "processed";
}

milliseconds BackOff::Pause(uint32_t attempt, double random) const {
  if (attempt <= 1) return milliseconds(0);
  double pause = static_cast<double>(first.count());
  const auto limit = static_cast<double>(most.count());
  for (uint32_t i = 2; i < attempt && pause < limit && factor > 1 && pause > 0; ++i) {
    pause *= factor;
  }
  pause = std::min(pause, limit);
  const double off = pause * jitter_percent / 100 * std::clamp(random, 0.0, 1.0);
  return milliseconds(static_cast<int64_t>(pause - off));
}

bool CallPolicy::Retries(Delivery delivery) const {
  CallPolicy copy = *this;
  return *RetryField(copy, delivery);
}

absl::Status CallPolicy::Check() const {
  if (deadline < milliseconds(1) || deadline > kLongest) {
    return OutOfRange("deadline", "1 ms to 49 days");
  }
  if (attempts < 1 || attempts > 1000) return OutOfRange("attempts", "1 to 1000");
  if (back_off.first < milliseconds(0) || back_off.first > kLongest) {
    return OutOfRange("back_off.first", "0 to 49 days");
  }
  if (back_off.factor < 1 || back_off.factor > 100) {
    return OutOfRange("back_off.factor", "1 to 100");
  }
  if (back_off.most < back_off.first || back_off.most > kLongest) {
    return OutOfRange("back_off.most", "back_off.first to 49 days");
  }
  if (back_off.jitter_percent > 100) return OutOfRange("back_off.jitter_percent", "0 to 100");
  if (deduplicate < milliseconds(0) || deduplicate > kLongest) {
    return OutOfRange("deduplicate", "0 to 49 days");
  }
  if (hand_over < milliseconds(0) || hand_over > kLongest) {
    return OutOfRange("hand_over", "0 to 49 days");
  }
  return absl::OkStatus();
}

std::string CallPolicy::ToString() const {
  std::string retry;
  for (const Delivery delivery : kDeliveries) {
    if (!Retries(delivery)) continue;
    absl::StrAppend(&retry, retry.empty() ? "" : ",", std::string(DeliveryName(delivery)));
  }
  return absl::StrCat(
      "deadline=", DurationText(deadline), " attempts=", attempts,
      " backoff=", DurationText(back_off.first), "*", back_off.factor, "..",
      DurationText(back_off.most), " jitter=", back_off.jitter_percent,
      "% retry=", retry.empty() ? "none" : retry, " dedup=", OptionalText(deduplicate),
      " ack=", std::string(AcknowledgementName(acknowledge)), " handover=", OptionalText(hand_over),
      " wait=", wait_for_holder ? "on" : "off");
}

absl::StatusOr<CallPolicy> CallPolicy::Parse(std::string_view text) {
  TextCursor cursor("call policy", text);
  CallPolicy policy;
  size_t next = 0;  // fields come in their order, each once
  while (!cursor.done()) {
    if (cursor.position() > 0) {
      if (absl::Status status = cursor.Expect(" "); !status.ok()) return status;
    }
    while (next < std::size(kFields) && !cursor.Skip(kFields[next])) ++next;
    if (next == std::size(kFields)) {
      return cursor.Refuse(
          "expected one of deadline= attempts= backoff= jitter= retry= dedup= ack= handover= "
          "wait=, "
          "in this order");
    }
    if (absl::Status status = ReadField(cursor, next++, policy); !status.ok()) return status;
  }
  if (absl::Status status = policy.Check(); !status.ok()) return status;
  return policy;
}

}  // namespace grid
