//! `openapi`: a service as it was seen, or compared with how it is described.

use crate::cli::OpenApiArgs;
use crate::descriptions;
use crate::differences;
use crate::failure::{Exit, Failure};
use crate::learn::{Learned, learn};
use crate::paper::print;
use crate::sense::severity;
use tapwire_event::{Redactor, describe};
use tapwire_inventory::Inventory;

/// Services that are named where the one asked for was not seen.
const SHOWN: usize = 8;

/// `tapwire openapi`.
pub(crate) fn openapi(args: &OpenApiArgs) -> Result<Exit, Failure> {
    let threshold = args.fail_on.as_deref().map(severity).transpose()?;
    let service = args.service.to_ascii_lowercase();
    // The description that is compared with is the prior.
    let learned = learn(&args.learn, true, |config| {
        if let Some(spec) = &args.diff {
            config.inventory.descriptions = descriptions::of_service(spec, &service)?;
        }
        Ok(())
    })?;
    let exit = learned.exit();
    let Learned { report, mut redactor, .. } = learned;
    let inventory = report.inventory.as_ref().ok_or_else(|| Failure::new("nothing was learned"))?;
    let Some(document) = describe(inventory, &service, &mut redactor) else {
        return Err(Failure::new(not_seen(inventory, &service, &mut redactor)));
    };
    let Some(spec) = &args.diff else {
        print(&if args.yaml { document.yaml() } else { document.json() }, true)?;
        return Ok(exit);
    };
    let found = inventory.differences(&service);
    let text = match args.json {
        true => differences::lines(&service, &found, &mut redactor),
        false => differences::table(&service, spec, &found, &mut redactor),
    };
    print(&text, true)?;
    let reached = |least| found.iter().any(|one| differences::severity(one.kind) >= least);
    Ok(if threshold.is_some_and(reached) { Exit::Findings } else { exit })
}

fn not_seen(inventory: &Inventory, service: &str, redactor: &mut Redactor) -> String {
    let names: Vec<String> = inventory.services().map(|known| redactor.shown_host(&known.name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if names.is_empty() {
        return format!("openapi {service}: no service was seen; `tapwire doctor` says why");
    }
    let near = tapwire_expr::nearest(service, &names).map(|near| format!("; did you mean '{near}'?"));
    let some = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(SHOWN);
    let seen = if more > 0 { format!("; seen: {some} and {more} more") } else { format!("; seen: {some}") };
    format!("openapi {service}: no such service was seen{}", near.unwrap_or(seen))
}
