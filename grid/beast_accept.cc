#include "grid/beast_accept.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/internal/manager_core.h"
#include "grid/transport/adopted.h"
#include "grid/transport/adopter.h"
#include "grid/transport/channel.h"
#include "grid/transport/upgrade.h"

namespace grid::internal {

class AcceptTicket {
 public:
  AcceptPlace place;
  std::shared_ptr<AdoptedConnection> connection = std::make_shared<AdoptedConnection>();
};

absl::StatusOr<std::shared_ptr<AcceptTicket>> ReserveAccept(
    Manager& manager, const boost::beast::http::request_header<>& request,
    std::string_view leftover, bool upgraded) {
  const std::shared_ptr<ManagerCore> core = CoreAccess::Of(manager);
  if (leftover.size() > kMaxLeftoverBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(leftover.size(), " bytes behind the request; at most ", kMaxLeftoverBytes));
  }
  auto ticket = std::make_shared<AcceptTicket>();
  AdoptedConnection& connection = *ticket->connection;
  connection.request = HttpRequest(boost::beast::http::request_header<>(request));
  connection.leftover = std::string(leftover);
  connection.upgraded = upgraded;
  // What may be meant for others is left to the host; the rest is answered as a listener would.
  const auto refusal = CheckUpgrade(connection.request, core->options().route,
                                    [](std::string_view) { return true; });
  if (refusal.has_value() && refusal->kind == HttpRefusal::kBadPath) {
    return absl::NotFoundError(refusal->text);
  }
  if (refusal.has_value() &&
      (refusal->kind == HttpRefusal::kBadMethod || refusal->kind == HttpRefusal::kNotUpgrade)) {
    return absl::InvalidArgumentError(refusal->text);
  }
  absl::StatusOr<AcceptPlace> place = core->ReserveAccept();
  if (!place.ok()) return place.status();
  ticket->place = *std::move(place);
  return ticket;
}

absl::Status FinishAccept(AcceptTicket& ticket, HostConnection connection) {
  AdoptedConnection& adopted = *ticket.connection;
  adopted.socket = NativeSocket(connection.fd, connection.protocol);
  adopted.tls.reset(connection.tls);
  if (connection.fd < 0) return absl::UnavailableError("the stream has no connection any more");
  adopted.leftover += connection.read_ahead;
  AcceptPlace& place = ticket.place;
  place.adopter->Adopt(*place.io, std::move(ticket.connection), std::move(place.admission),
                       std::move(place.activity));
  return absl::OkStatus();
}

void KeepTls(SSL* session, HostConnection* out) {
  DrainTls(session, &out->read_ahead);
  SSL_up_ref(session);
  out->tls = session;
}

}  // namespace grid::internal
