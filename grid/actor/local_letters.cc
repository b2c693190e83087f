#include "grid/actor/local_letters.h"

#include <cstring>
#include <utility>

namespace grid::internal {
namespace {

std::shared_ptr<const Sender> SenderFrom(const std::string& member, const Name* actor,
                                         const std::optional<Publication>& publication) {
  Sender sender{.process = {.host = member}, .publication = publication};
  if (actor != nullptr) sender.actor = *actor;
  return std::make_shared<const Sender>(std::move(sender));
}

}  // namespace

LocalLetters::LocalLetters(std::string self)
    : self_(std::move(self)), sender_(SenderFrom(self_, nullptr, std::nullopt)) {}

Letter LocalLetters::Make(const Message& message) const {
  Letter letter;
  letter.message = pool_->Take(message.type.size() + message.body.size());
  std::memcpy(letter.message.data(), message.type.data(), message.type.size());
  if (!message.body.empty()) {
    std::memcpy(letter.message.data() + message.type.size(), message.body.data(),
                message.body.size());
  }
  letter.type_bytes = static_cast<uint32_t>(message.type.size());
  letter.nil_body = IsNil(message.body);
  letter.acknowledge = message.acknowledge;
  letter.deadline = message.deadline;
  if (message.from == nullptr && !message.publication.has_value()) {
    letter.sender = sender_;
  } else {
    letter.sender = SenderFrom(self_, message.from, message.publication);
  }
  return letter;
}

}  // namespace grid::internal
