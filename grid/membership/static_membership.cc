#include "grid/membership/static_membership.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/membership/membership_board.h"

namespace grid {
namespace {

using internal::MembershipBoard;

class StaticMembership final : public Membership {
 public:
  explicit StaticMembership(StaticMembershipOptions options)
      : self_(std::move(options.self)),
        board_(std::make_shared<MembershipBoard>(*options.io, options.max_watches)) {
    // Nobody watches yet, so this needs no thread.
    board_->Publish(std::move(options.members));
  }
  ~StaticMembership() override {
    asio::post(board_->io(),
               [board = board_] { board->End(absl::CancelledError("the membership has ended")); });
  }

  const std::string& self() const override { return self_; }
  std::shared_ptr<const MembershipView> View() const override { return board_->View(); }
  absl::StatusOr<MembershipWatcher> Watch() override { return board_->Watch(); }
  MembershipStats Stats() const override {
    const auto view = View();
    const Member* const own = view->Find(self_);
    return {.members = view->members.size(),
            .joined = own != nullptr && own->state != MemberState::kDown ? 1u : 0u,
            .views = view->number,
            .watch_limit = board_->watch_limit()};
  }

  void StartChange(AttributeChanges changes, Completion<absl::Status> completion) override {
    Alter(std::move(completion), [changes = std::move(changes)](Member& own) {
      if (own.state == MemberState::kDown)
        return absl::Status(absl::CancelledError("we have left"));
      absl::StatusOr<Attributes> attributes = WithChanges(own.attributes, changes);
      if (!attributes.ok()) return attributes.status();
      own.attributes = *std::move(attributes);
      own.state =
          own.Attribute(Member::kDraining) == "true" ? MemberState::kLeaving : MemberState::kUp;
      return absl::OkStatus();
    });
  }
  void StartLeave(Completion<absl::Status> completion) override {
    Alter(std::move(completion), [](Member& own) {
      own.state = MemberState::kDown;
      return absl::OkStatus();
    });
  }
  void StartDeclareDown(std::string /*name*/, uint64_t /*incarnation*/,
                        Completion<absl::Status> completion) override {
    completion.Complete(&board_->io(),
                        absl::UnimplementedError("a static list can't tell others who is down"));
  }

 private:
  // Publishes the list with our own entry as `change`, absl::Status(Member&), makes it.
  template <typename Function>
  void Alter(Completion<absl::Status> completion, Function change) {
    asio::post(board_->io(), [board = board_, self = self_, change = std::move(change),
                              completion = std::move(completion)]() mutable {
      std::vector<Member> members = board->View()->members;
      const auto own = std::find_if(members.begin(), members.end(),
                                    [&](const Member& member) { return member.name == self; });
      absl::Status status = own == members.end() || own->client
                                ? absl::FailedPreconditionError("a client is no member")
                                : change(*own);
      if (status.ok()) board->Publish(std::move(members));
      completion.Complete(&board->io(), std::move(status));
    });
  }

  const std::string self_;
  const std::shared_ptr<MembershipBoard> board_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Membership>> MakeStaticMembership(StaticMembershipOptions options) {
  if (options.io == nullptr) {
    return absl::InvalidArgumentError("StaticMembershipOptions::io must be set");
  }
  std::vector<Member>& members = options.members;
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.name < b.name; });
  for (size_t i = 0; i < members.size(); ++i) {
    const std::string& name = members[i].name;
    absl::Status status = CheckAttributes(members[i].attributes);
    if (name.empty()) status = absl::InvalidArgumentError("a member has no name");
    if (i > 0 && name == members[i - 1].name) status = absl::InvalidArgumentError("is there twice");
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("StaticMembershipOptions::members: \"", name, "\": ", status.message()));
    }
  }
  return std::unique_ptr<Membership>(new StaticMembership(std::move(options)));
}

}  // namespace grid
