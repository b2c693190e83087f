#include "grid/membership/directory_membership.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/membership/directory_member.h"

namespace grid {
namespace {

class DirectoryMembership final : public Membership {
 public:
  DirectoryMembership(std::string self, std::shared_ptr<internal::DirectoryMember> member)
      : self_(std::move(self)), member_(std::move(member)) {}
  ~DirectoryMembership() override {
    member_->LetGoOfDirectory();
    // Its timers belong to the thread, so the last of it goes there.
    asio::io_context& io = member_->io();
    asio::post(io, [member = std::move(member_)] { member->Close(); });
  }

  const std::string& self() const override { return self_; }
  std::shared_ptr<const MembershipView> View() const override { return member_->board().View(); }
  absl::StatusOr<MembershipWatcher> Watch() override { return member_->board().Watch(); }
  MembershipStats Stats() const override { return member_->Stats(); }

  void StartChange(AttributeChanges changes, Completion<absl::Status> completion) override {
    asio::post(member_->io(), [member = member_, changes = std::move(changes),
                               completion = std::move(completion)]() mutable {
      member->Change(changes, std::move(completion));
    });
  }
  void StartLeave(Completion<absl::Status> completion) override {
    asio::post(member_->io(), [member = member_, completion = std::move(completion)]() mutable {
      member->Leave(std::move(completion));
    });
  }
  void StartDeclareDown(std::string name, uint64_t incarnation,
                        Completion<absl::Status> completion) override {
    asio::post(member_->io(), [member = member_, name = std::move(name), incarnation,
                               completion = std::move(completion)]() mutable {
      member->DeclareDown({std::move(name), incarnation}, std::move(completion));
    });
  }

 private:
  const std::string self_;
  std::shared_ptr<internal::DirectoryMember> member_;  // until the end
};

absl::Status CheckRange(const char* field, std::chrono::milliseconds value) {
  if (value >= std::chrono::milliseconds(1) && value <= std::chrono::hours(24)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("DirectoryMembershipOptions::", field, " must be 1 ms to a day"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Membership>> MakeDirectoryMembership(
    Directory& directory, DirectoryMembershipOptions options) {
  if (options.io == nullptr) {
    return absl::InvalidArgumentError("DirectoryMembershipOptions::io must be set");
  }
  absl::Status status = CheckRange("suspect", options.suspect);
  status.Update(CheckRange("forget", options.forget));
  status.Update(CheckAttributes(options.attributes));
  if (!status.ok()) return status;
  const absl::StatusOr<std::string> segment = SegmentOf(options.member);
  if (!segment.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("DirectoryMembershipOptions::member: ", segment.status().message()));
  }
  absl::StatusOr<Name> name = Name::Parse(absl::StrCat(std::string(kMemberPath), "/", *segment));
  if (!name.ok()) return name.status();
  if (options.clock == nullptr) options.clock = RealClock();
  if (options.log == nullptr) options.log = DefaultLog();
  std::string self = options.member;
  auto member =
      std::make_shared<internal::DirectoryMember>(directory, std::move(options), *std::move(name));
  asio::post(member->io(), [member] { member->Start(); });
  return std::unique_ptr<Membership>(new DirectoryMembership(std::move(self), std::move(member)));
}

}  // namespace grid
