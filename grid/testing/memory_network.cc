#include "grid/testing/memory_network.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "grid/testing/memory_link.h"

namespace grid::testing {
namespace {

using internal::LinkContext;
using internal::MemoryLink;

// Where ports come from for listeners that ask for any, and for dialers.
constexpr uint16_t kFirstFreePort = 20'000;
constexpr uint16_t kFirstDialerPort = 40'000;

struct Address {
  std::string host;
  uint16_t port = 0;
  bool tls = false;

  bool any_host() const { return host.empty() || host == "0.0.0.0" || host == "[::]"; }
};

absl::StatusOr<Address> ParseAddress(const std::string& text, uint16_t default_port) {
  Address address;
  const size_t colon = text.rfind(':');
  const bool has_port = colon != text.npos && text.find(']', colon) == text.npos;
  address.host = text.substr(0, has_port ? colon : text.npos);
  uint32_t port = default_port;
  if (has_port && (!absl::SimpleAtoi(text.substr(colon + 1), &port) || port > 65'535)) {
    return absl::InvalidArgumentError(absl::StrCat("no port in address: ", text));
  }
  address.port = static_cast<uint16_t>(port);
  return address;
}

// Of "http://node1:9000".
absl::StatusOr<Address> ParseUrl(const std::string& url) {
  absl::string_view rest = url;
  const bool tls = absl::ConsumePrefix(&rest, "https://");
  if (!tls && !absl::ConsumePrefix(&rest, "http://")) {
    return absl::InvalidArgumentError(absl::StrCat("no http(s) URL: ", url));
  }
  absl::StatusOr<Address> address =
      ParseAddress(std::string(rest.substr(0, rest.find('/'))), tls ? 443 : 80);
  if (address.ok()) address->tls = tls;
  return address;
}

using Pair = std::pair<std::string, std::string>;
Pair PairOf(const std::string& a, const std::string& b) { return std::minmax(a, b); }

struct ListenerState {
  std::string owner;  // the node's name
  Address address;
  ListenRequest request;
  size_t next_io = 0;
};

// One call of Dial, until it is done.
struct DialState {
  DialRequest request;
  absl::AnyInvocable<void(DialResult)> done;
  internal::EventQueue::Id timeout;
  bool finished = false;
};

}  // namespace

class MemoryNetwork::Hub : public std::enable_shared_from_this<Hub> {
 public:
  Hub(std::shared_ptr<Clock> clock, const MemoryNetworkOptions& options)
      : context_(std::make_shared<LinkContext>(std::move(clock), options)) {}

  LinkContext& context() { return *context_; }
  std::set<Pair>& partitions() { return partitions_; }
  std::set<std::string>& refusing() { return refusing_; }

  void Dial(const std::string& from, DialRequest request,
            absl::AnyInvocable<void(DialResult)> done);
  absl::StatusOr<std::shared_ptr<ListenerState>> Listen(const std::string& owner,
                                                        ListenRequest request);
  // Those between the two that may still be alive.
  std::vector<std::shared_ptr<MemoryLink>> Links(const Pair& pair);
  std::vector<Pair> Pairs() const;

 private:
  using DialPtr = std::shared_ptr<DialState>;

  std::shared_ptr<ListenerState> FindListener(const Address& address) const;
  void Arrive(const std::string& from, const DialPtr& dial);
  void Upgrade(const std::string& from, const DialPtr& dial,
               const std::shared_ptr<ListenerState>& listener, asio::io_context& io);
  // After a latency, on the dialer's io_context.
  void Answer(const std::string& from, const DialPtr& dial, DialResult result);
  static void Finish(LinkContext& context, const DialPtr& dial, DialResult result);

  const std::shared_ptr<LinkContext> context_;
  std::vector<std::weak_ptr<ListenerState>> listeners_;
  std::map<Pair, std::vector<std::weak_ptr<MemoryLink>>> links_;
  std::set<Pair> partitions_;
  std::set<std::string> refusing_;
  uint16_t next_port_ = kFirstFreePort;
  uint16_t next_dialer_port_ = kFirstDialerPort;
};

void MemoryNetwork::Hub::Dial(const std::string& from, DialRequest request,
                              absl::AnyInvocable<void(DialResult)> done) {
  ++context_->stats.dials;
  const auto dial = std::make_shared<DialState>();
  dial->request = std::move(request);
  dial->done = std::move(done);
  if (const auto& canceller = dial->request.canceller; canceller != nullptr) {
    canceller->OnCancel([context = context_, weak = std::weak_ptr<DialState>(dial)] {
      const auto cancelled = weak.lock();
      if (cancelled == nullptr) return;
      cancelled->request.keep.reset();
      Finish(*context, cancelled, absl::CancelledError("the attempt was cancelled"));
    });
  }
  const TimePoint now = context_->events.Now();
  asio::io_context& io = *dial->request.io;
  dial->timeout = context_->events.At(now + dial->request.timeout, io, [context = context_, dial] {
    Finish(*context, dial, absl::DeadlineExceededError("dial timed out"));
  });
  context_->events.At(now + context_->Latency(), io,
                      [self = shared_from_this(), from, dial] { self->Arrive(from, dial); });
}

void MemoryNetwork::Hub::Arrive(const std::string& from, const DialPtr& dial) {
  const std::string& host = dial->request.host;
  if (dial->finished || partitions_.contains(PairOf(from, host))) return;
  const absl::StatusOr<Address> address = ParseUrl(host);
  if (!address.ok()) return Answer(from, dial, address.status());
  const std::shared_ptr<ListenerState> listener = FindListener(*address);
  if (refusing_.contains(host) || listener == nullptr) {
    return Answer(from, dial, absl::UnavailableError(absl::StrCat("connection refused: ", host)));
  }
  if (listener->request.tls != address->tls) {
    return Answer(from, dial, absl::UnavailableError("TLS handshake failed"));
  }
  const auto& ios = listener->request.ios;
  asio::io_context& io = *ios[listener->next_io++ % ios.size()];
  context_->events.At(context_->events.Now(), io,
                      [self = shared_from_this(), from, dial, listener, &io] {
                        self->Upgrade(from, dial, listener, io);
                      });
}

void MemoryNetwork::Hub::Upgrade(const std::string& from, const DialPtr& dial,
                                 const std::shared_ptr<ListenerState>& listener,
                                 asio::io_context& io) {
  const ListenRequest& rules = listener->request;
  const auto refuse = [&](HttpRefusal why, std::string_view detail, absl::Status status) {
    if (rules.on_refuse) rules.on_refuse(why, detail);
    Answer(from, dial, std::move(status));
  };
  Admission admission;
  if (rules.gate != nullptr) {
    if (!rules.gate->TryEnter()) {
      return refuse(HttpRefusal::kTooMany, from,
                    absl::UnavailableError("connection closed during the handshake"));
    }
    admission = Admission(rules.gate);
  }
  if (dial->request.route != rules.route) {
    return refuse(HttpRefusal::kBadPath, dial->request.route,
                  absl::NotFoundError("upgrade refused: 404 Not Found"));
  }
  if (rules.check_token && !rules.check_token(dial->request.token)) {
    return refuse(HttpRefusal::kBadToken, from,
                  absl::PermissionDeniedError("upgrade refused: 403 Forbidden"));
  }

  const std::string dialer_address = absl::StrCat(from, "#", next_dialer_port_++);
  const std::string subject_prefix = rules.tls ? "CN=" : "";
  const auto link = std::make_shared<MemoryLink>(
      context_,
      MemoryLink::Place{dial->request.io, dial->request.host,
                        rules.tls ? subject_prefix + listener->owner : ""},
      MemoryLink::Place{&io, dialer_address, rules.tls ? subject_prefix + from : ""});
  links_[PairOf(from, listener->owner)].push_back(link);
  ++context_->stats.connections;
  Answer(from, dial, link->NewTransport(0));
  rules.on_accept(AcceptedTransport{link->NewTransport(1), &io, std::move(admission),
                                    context_->events.Now() + rules.handshake_timeout});
}

void MemoryNetwork::Hub::Answer(const std::string& from, const DialPtr& dial, DialResult result) {
  const auto held = std::make_shared<DialResult>(std::move(result));
  context_->events.At(context_->events.Now() + context_->Latency(), *dial->request.io,
                      [self = shared_from_this(), from, dial, held] {
                        // Lost on the way: the time-out ends the dial, and with it goes the
                        // transport.
                        if (self->partitions_.contains(PairOf(from, dial->request.host))) return;
                        Finish(*self->context_, dial, std::move(*held));
                      });
}

void MemoryNetwork::Hub::Finish(LinkContext& context, const DialPtr& dial, DialResult result) {
  if (dial->finished) return;
  dial->finished = true;
  context.events.Cancel(dial->timeout);
  std::exchange(dial->done, nullptr)(std::move(result));
}

absl::StatusOr<std::shared_ptr<ListenerState>> MemoryNetwork::Hub::Listen(const std::string& owner,
                                                                          ListenRequest request) {
  absl::StatusOr<Address> address = ParseAddress(request.address, 0);
  if (!address.ok()) return address.status();
  if (address->port == 0) address->port = next_port_++;
  if (address->any_host()) {
    const absl::StatusOr<Address> name = ParseUrl(owner);
    if (name.ok()) address->host = name->host;
  }
  address->tls = request.tls;
  if (FindListener(*address) != nullptr) {
    return absl::UnavailableError(absl::StrCat("address already in use: ", request.address));
  }
  auto state = std::make_shared<ListenerState>();
  state->owner = owner;
  state->address = *std::move(address);
  state->request = std::move(request);
  listeners_.push_back(state);
  return state;
}

std::shared_ptr<ListenerState> MemoryNetwork::Hub::FindListener(const Address& address) const {
  for (const std::weak_ptr<ListenerState>& weak : listeners_) {
    std::shared_ptr<ListenerState> listener = weak.lock();
    if (listener != nullptr && listener->address.host == address.host &&
        listener->address.port == address.port) {
      return listener;
    }
  }
  return nullptr;
}

std::vector<std::shared_ptr<MemoryLink>> MemoryNetwork::Hub::Links(const Pair& pair) {
  std::vector<std::shared_ptr<MemoryLink>> alive;
  std::erase_if(links_[pair], [&](const std::weak_ptr<MemoryLink>& weak) {
    std::shared_ptr<MemoryLink> link = weak.lock();
    if (link == nullptr) return true;
    alive.push_back(std::move(link));
    return false;
  });
  return alive;
}

std::vector<Pair> MemoryNetwork::Hub::Pairs() const {
  std::vector<Pair> pairs;
  for (const auto& [pair, links] : links_) pairs.push_back(pair);
  return pairs;
}

class MemoryNetwork::HostNetwork final : public Network {
 public:
  HostNetwork(std::shared_ptr<Hub> hub, std::string name)
      : hub_(std::move(hub)), name_(std::move(name)) {}

  void Dial(DialRequest request, absl::AnyInvocable<void(DialResult)> done) override {
    hub_->Dial(name_, std::move(request), std::move(done));
  }

  absl::StatusOr<std::unique_ptr<Listener>> Listen(ListenRequest request) override {
    absl::StatusOr<std::shared_ptr<ListenerState>> state = hub_->Listen(name_, std::move(request));
    if (!state.ok()) return state.status();
    return std::make_unique<MemoryListener>(*std::move(state));
  }

 private:
  // The hub knows listeners weakly: this is what keeps one open.
  class MemoryListener final : public Listener {
   public:
    explicit MemoryListener(std::shared_ptr<ListenerState> state) : state_(std::move(state)) {}
    uint16_t port() const override { return state_->address.port; }

   private:
    const std::shared_ptr<ListenerState> state_;
  };

  const std::shared_ptr<Hub> hub_;
  const std::string name_;
};

MemoryNetwork::MemoryNetwork(std::shared_ptr<Clock> clock, MemoryNetworkOptions options)
    : hub_(std::make_shared<Hub>(std::move(clock), options)) {}

MemoryNetwork::~MemoryNetwork() { hub_->context().events.Shutdown(); }

std::shared_ptr<Network> MemoryNetwork::Host(const std::string& name) {
  return std::make_shared<HostNetwork>(hub_, name);
}

int MemoryNetwork::Sever(const std::string& a, const std::string& b) {
  int severed = 0;
  for (const auto& link : hub_->Links(PairOf(a, b))) {
    severed += link->open() ? 1 : 0;
    link->Sever();
  }
  return severed;
}

void MemoryNetwork::Stall(const std::string& a, const std::string& b) {
  for (const auto& link : hub_->Links(PairOf(a, b))) link->Freeze();
}

void MemoryNetwork::Partition(const std::string& a, const std::string& b) {
  hub_->partitions().insert(PairOf(a, b));
  Stall(a, b);
}

void MemoryNetwork::Heal(const std::string& a, const std::string& b) {
  hub_->partitions().erase(PairOf(a, b));
  for (const auto& link : hub_->Links(PairOf(a, b))) link->Thaw();
}

void MemoryNetwork::HealAll() {
  hub_->partitions().clear();
  for (const Pair& pair : hub_->Pairs()) Heal(pair.first, pair.second);
}

void MemoryNetwork::RefuseDials(const std::string& host, bool refuse) {
  if (refuse) {
    hub_->refusing().insert(host);
  } else {
    hub_->refusing().erase(host);
  }
}

int MemoryNetwork::Connections(const std::string& a, const std::string& b) const {
  const std::vector<std::shared_ptr<MemoryLink>> links = hub_->Links(PairOf(a, b));
  return static_cast<int>(
      std::count_if(links.begin(), links.end(), [](const auto& link) { return link->open(); }));
}

const MemoryNetworkStats& MemoryNetwork::stats() const { return hub_->context().stats; }

}  // namespace grid::testing
