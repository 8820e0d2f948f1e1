//! Calls whose operation is not in the path: GraphQL, gRPC, the Model Context Protocol.

use crate::apis::{Api, LAB, SHOP, TOOLS};
use crate::exchange::{Body, Exchange};
use crate::json::{Json, quoted};
use crate::labels::About;
use crate::values::{Person, mix, words};
use crate::world::{Actor, Client, MINUTE, SECOND, World};
use tapwire_testkit::Random;

/// What somebody who is logged in does beside REST, where the service has it.
pub(crate) fn of_people(world: &mut World, api: &'static Api, client: &mut Client, random: &mut Random) {
    let Some(user) = client.identity.as_ref().map(|identity| identity.user) else { return };
    let (service, exchange) = match api.name {
        "shop" if random.chance(0.5) => (&SHOP, orders_query(world, user)),
        "shop" => (&SHOP, product_query(world, random.below(20_000) as u32)),
        "clinic" => (&LAB, lab_result(world, LAB_RESULTS_OF_A_USER * user + random.below(4) as u32)),
        _ => (api, world.me(api, user)),
    };
    world.say(client, service, &exchange, &About::benign("human"));
}

/// A GraphQL request with its answer's data.
pub(crate) fn graphql(operation: &str, query: &str, variables: &str, data: &str) -> Exchange {
    let mut json = Json::new();
    json.text("operationName", operation).text("query", query).plain("variables", variables);
    let body = Body::json(json.end());
    Exchange::ask("POST", "/graphql")
        .with(body)
        .answer(200, Body::json(format!(r#"{{"data":{data}}}"#)))
        .takes(7_000_000)
}

fn orders_query(world: &World, user: u32) -> Exchange {
    let orders = SHOP.resource("orders");
    let nodes = world
        .page(&SHOP, orders, user, 0, 5)
        .into_iter()
        .map(|order| world.object(&SHOP, orders, order, false));
    let data = format!(
        r#"{{"me":{{"id":"{}","orders":[{}]}}}}"#,
        world.subject(&SHOP, user),
        nodes.collect::<Vec<_>>().join(",")
    );
    let query = "query MyOrders($first: Int!) { me { id orders(first: $first) { id userId status total currency } } }";
    let mut exchange = graphql("MyOrders", query, r#"{"first":5}"#, &data);
    exchange.persons = vec![user];
    exchange
}

/// An order by its id.
pub(crate) fn order_query(world: &World, order: u32) -> Exchange {
    let orders = SHOP.resource("orders");
    let data = format!(r#"{{"order":{}}}"#, world.object(&SHOP, orders, order, true));
    let query = "query Order($id: ID!) { order(id: $id) { id userId status total email shippingStreet } }";
    let id = world.id(&SHOP, orders, order);
    let mut exchange = graphql("Order", query, &format!(r#"{{"id":"{id}"}}"#), &data);
    exchange.persons = vec![world.owner(&SHOP, orders, order)];
    exchange.object = Some(format!("orders/{id}"));
    exchange
}

fn product_query(world: &World, product: u32) -> Exchange {
    let products = SHOP.resource("products");
    let data = format!(r#"{{"product":{}}}"#, world.object(&SHOP, products, product, true));
    let query = "query Product($id: ID!) { product(id: $id) { id title price currency stock } }";
    graphql("Product", query, &format!(r#"{{"id":"{}"}}"#, world.id(&SHOP, products, product)), &data)
}

const LAB_RESULTS_OF_A_USER: u32 = 8;

/// `clinic.lab.v1.LabService/GetResult`: a result says whose it is in its second field.
pub(crate) fn lab_result(world: &World, result: u32) -> Exchange {
    let owner = result / LAB_RESULTS_OF_A_USER;
    let mut asked = Vec::new();
    varint(&mut asked, 1, u64::from(result) + 880_000);
    let mut told = Vec::new();
    varint(&mut told, 1, u64::from(result) + 880_000);
    bytes(&mut told, 2, world.subject(&LAB, owner).as_bytes());
    bytes(&mut told, 3, b"HbA1c");
    bytes(&mut told, 4, format!("{}.{}", 4 + result % 9, result % 10).as_bytes());
    bytes(&mut told, 5, world.person(&LAB, owner).nhs().as_bytes());
    let mut exchange = grpc("GetResult", &asked, &told, 0);
    exchange.persons = vec![owner];
    exchange.object = Some(format!("lab-results/{}", result + 880_000));
    exchange
}

/// A unary call; `status` is that of gRPC.
pub(crate) fn grpc(method: &str, asked: &[u8], told: &[u8], status: u8) -> Exchange {
    let framed = |message: &[u8]| [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat();
    let answer = if status == 0 { framed(told) } else { Vec::new() };
    let mut exchange =
        Exchange::ask("POST", format!("/clinic.lab.v1.LabService/{method}")).header("TE", "trailers");
    exchange.body = Some(Body::new("application/grpc", framed(asked)));
    exchange.grpc_status = Some(status);
    exchange.answer(200, Body::new("application/grpc", answer)).takes(4_000_000)
}

fn varint(out: &mut Vec<u8>, field: u8, mut number: u64) {
    out.push(field << 3);
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn bytes(out: &mut Vec<u8>, field: u8, text: &[u8]) {
    out.extend([field << 3 | 2, text.len() as u8]);
    out.extend_from_slice(text);
}

/// Name, description and the one argument of each tool.
pub(crate) const OFFERED: &[(&str, &str, &str)] = &[
    ("search_tickets", "Searches the tickets of your workspace", "query"),
    ("get_ticket", "Gives one ticket by its number", "number"),
    ("summarize_file", "Summarises a file that you may read", "file"),
];

/// A request of JSON-RPC with its result.
pub(crate) fn mcp(number: u64, method: &str, params: &str, result: &str) -> Exchange {
    let asked = format!(r#"{{"jsonrpc":"2.0","id":{number},"method":"{method}","params":{params}}}"#);
    let told = format!(r#"{{"jsonrpc":"2.0","id":{number},"result":{result}}}"#);
    let exchange = Exchange::ask("POST", "/mcp").header("MCP-Protocol-Version", "2025-06-18");
    exchange.with(Body::json(asked)).answer(200, Body::json(told)).takes(9_000_000)
}

/// The list of tools; `poisoned` is added to the first description.
pub(crate) fn tools_list(number: u64, poisoned: &str) -> Exchange {
    let tools = OFFERED.iter().zip([poisoned, "", ""]).map(|((name, description, argument), more)| {
        let schema = format!(r#"{{"type":"object","properties":{{"{argument}":{{"type":"string"}}}},"required":["{argument}"]}}"#);
        let mut json = Json::new();
        json.text("name", name).text("description", &format!("{description}{more}")).plain("inputSchema", schema).end()
    });
    mcp(number, "tools/list", "{}", &format!(r#"{{"tools":[{}]}}"#, tools.collect::<Vec<_>>().join(",")))
}

/// A call of a tool that gives a text.
pub(crate) fn tool_call(number: u64, tool: (&str, &str, &str), argument: &str, text: &str) -> Exchange {
    let params = format!(r#"{{"name":"{}","arguments":{{"{}":{}}}}}"#, tool.0, tool.2, quoted(argument));
    let result = format!(r#"{{"content":[{{"type":"text","text":{}}}],"isError":false}}"#, quoted(text));
    mcp(number, "tools/call", &params, &result)
}

/// An agent that works with the tools now and then.
pub(crate) struct Agent {
    client: Client,
    random: Random,
    number: u64,
}

impl Agent {
    pub(crate) fn new(world: &World, user: u32) -> Self {
        let mut client = Client::new([10, 50, 9, 10 + user as u8], "mcp-client/1.4");
        client.identity = Some(world.identity(&TOOLS, user));
        Self { client, random: world.random("agent", u64::from(user)), number: 0 }
    }
}

impl Actor for Agent {
    fn act(&mut self, world: &mut World) -> Option<i64> {
        let about = About::benign("mcp-agent");
        let initialize = r#"{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"assistant","version":"1.4"}}"#;
        let server = r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"work-tools","version":"2.1"}}"#;
        let opening = [mcp(self.number, "initialize", initialize, server), tools_list(self.number + 1, "")];
        for exchange in opening {
            world.say(&mut self.client, &TOOLS, &exchange, &about);
        }
        self.number += 2;
        for _ in 0..1 + self.random.below(4) {
            let tool = *self.random.pick(OFFERED);
            let hash = self.random.next();
            let (argument, text) = (words(hash, 2, " "), answer_text(hash));
            world.say(&mut self.client, &TOOLS, &tool_call(self.number, tool, &argument, &text), &about);
            self.number += 1;
            self.client.busy += SECOND + (hash % 4_000_000_000) as i64;
        }
        let idle = self.random.between(2, 40) as i64 * MINUTE;
        Some(self.client.busy.max(world.now) + idle)
    }
}

/// What a ticket says; some of them speak of instructions without giving any.
fn answer_text(hash: u64) -> String {
    let speaks = if hash.is_multiple_of(19) {
        " The customer asks for assembly instructions; ignore the earlier note."
    } else {
        ""
    };
    format!("{} reported: {}.{speaks}", Person(mix(hash, 3)).name(), words(hash, 9, " "))
}
